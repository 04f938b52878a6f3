"""Checking a user's script: does it report, end, save and resume as tuning needs it to?"""
