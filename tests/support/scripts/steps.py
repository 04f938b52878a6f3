"""A training script that takes milliseconds: a loss that falls with the epochs and is lowest at x = 0.3."""

import argparse
import os
import time
from pathlib import Path

from hpo import report

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float, required=True)
parser.add_argument("--epochs", type=int, required=True)
parser.add_argument("--sleep", type=float, default=0.0)
parser.add_argument("--foo", type=int, default=0)
args = parser.parse_args()

checkpoint = Path(os.environ["HPO_CHECKPOINT_DIR"]) / "epoch"
done = int(checkpoint.read_text()) if checkpoint.exists() else 0
for epoch in range(done + 1, args.epochs + 1):
    time.sleep(args.sleep)
    temporary = checkpoint.with_suffix(".tmp")
    temporary.write_text(str(epoch))
    temporary.replace(checkpoint)
    report(epoch=epoch, loss=(args.x - 0.3) ** 2 + 1 / epoch, foo=args.foo, pid=os.getpid())
