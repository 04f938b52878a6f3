# ruff: noqa: T201
"""Prints the master seed of the tag directory argv[1], at once with others that do the same."""

import sys
from pathlib import Path

from hpo.store.tags import master_seed

print("ready", flush=True)
sys.stdin.readline()
seed, drawn = master_seed(Path(sys.argv[1]), None)
print(seed, int(drawn))
