"""A training script with one of the faults that users' scripts have; `--how` says which."""

import argparse
import sys
import time

from hpo import report

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--epochs", type=int)
parser.add_argument("--how", required=True)
args = parser.parse_args()

match args.how:
    case "import":
        __import__("a_module_that_is_not_there")
    case "exit":
        sys.exit(3)
    case "silent":
        pass
    case "metric":
        report(epoch=1, los=0.5)
    case "text":
        report(epoch=1, loss="high")
    case "resource":
        report(epohc=1, loss=0.5)
    case "half":
        report(epoch=0.5, loss=0.5)
    case "hang":
        time.sleep(60)
    case "chatter":
        for epoch in range(1, 1000):
            report(epoch=epoch, loss=1 / epoch)
            time.sleep(0.05)
    case "after_report":
        report(epoch=1, loss=0.5)
        sys.exit(3)
    case "nan":
        report(epoch=1, loss=float("nan"))
        for epoch in range(2, args.epochs + 1):
            report(epoch=epoch, loss=0.5)
