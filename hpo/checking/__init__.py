"""Trainings outside any experiment: is a script fit for tuning, does a trial come out the same again?"""
