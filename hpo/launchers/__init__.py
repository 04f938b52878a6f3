"""Launchers: where experiments run. Imported by name, so that nobody pays for another one's dependencies."""
