"""Backends: where trials run. Processes on this machine, or a simulation; devices, report channel, programs."""
