"""Reports its devices and when, on the machine's monotonic clock, it began and ended."""

import argparse
import os
import time

from hpo import report

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--sleep", type=float, default=0.1)
args = parser.parse_args()
begin = time.monotonic()
time.sleep(args.sleep)
devices = os.environ["CUDA_VISIBLE_DEVICES"]
report(
    loss=args.x,
    devices=f"[{devices}]",
    begin=begin,
    end=time.monotonic(),
    threads=os.environ.get("OMP_NUM_THREADS", "all"),
)
