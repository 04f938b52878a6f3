"""Reports forever; told to end, it takes its time and leaves a file in its checkpoint folder."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from hpo import report

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--takes", type=float, default=0.3)
args = parser.parse_args()


def end(*_):
    time.sleep(args.takes)
    (Path(os.environ["HPO_CHECKPOINT_DIR"]) / "farewell").touch()
    sys.exit(0)


signal.signal(signal.SIGTERM, end)
for number in range(10_000):
    report(loss=1.0, number=number)
    time.sleep(0.02)
