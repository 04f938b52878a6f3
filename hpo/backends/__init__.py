"""Backends: where trials run. Imported by name, so that the trial host starts without the rest of the package."""
