# ruff: noqa: T201
"""Holds the lock of the experiment directory argv[1] until it is ended."""

import sys
import time
from pathlib import Path

from hpo.store.directory import ExperimentDirectory
from hpo.store.ownership import owned

with owned(ExperimentDirectory(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(600)
