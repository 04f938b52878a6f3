"""A training script that is fit for tuning, or has the one fault that `--how` names."""

import argparse
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from hpo import report

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float, required=True)
parser.add_argument("--y", type=float, default=0.0)
parser.add_argument("--epochs", type=int, required=True)
parser.add_argument("--how", default="well")
parser.add_argument("--sleep", type=float, default=0.02)
args = parser.parse_args()
how = args.how

file = Path(os.environ["HPO_CHECKPOINT_DIR"]) / "state.json"
seed = int(os.environ["HPO_TRIAL_SEED"])
state = {"epoch": 0, "weight": 1.0, "metrics": None}


def save():
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps(state))
    temporary.replace(file)


def on_sigterm(*_):
    save()
    sys.exit(143)


if how == "saves on SIGTERM":
    signal.signal(signal.SIGTERM, on_sigterm)
if how == "ignores SIGTERM":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

if file.exists() and how not in ("ignores its checkpoint", "has no checkpoints"):
    state = json.loads(file.read_text())
    if how == "counts from one again":
        state["epoch"] = 0
    elif how == "is one behind":
        state["epoch"] -= 1
    elif how == "is one ahead":
        state["epoch"] += 1
    elif how == "forgets a part":
        state["weight"] = 1.0
    elif how not in ("does not repeat", "saves on SIGTERM", "reports first"):
        report(**state["metrics"])

last = args.epochs + (10_000 if how == "never ends" else 0)
while state["epoch"] < last:
    time.sleep(args.sleep)
    epoch = state["epoch"] = state["epoch"] + (2 if how == "skips" else 1)
    rate = 1 - epoch / args.epochs if how == "has a schedule" else 0.5
    noise = random.random() if how == "is not seeded" else random.Random(f"{seed}/{epoch}").random()
    state["weight"] = 0.9 * state["weight"] + rate * args.x + 0.1 * noise
    state["metrics"] = {
        "epoch": epoch,
        "lost" if how == "has no metric" else "loss": state["weight"],
        "seconds": time.time(),
    }
    if how == "reports first":
        report(**state["metrics"])
        save()
        continue
    often = {"saves at the end": args.epochs, "saves now and then": 3}.get(how, 1)
    if how not in ("has no checkpoints", "saves on SIGTERM") and epoch % often == 0:
        save()
    report(**state["metrics"])
if how == "hangs":
    time.sleep(600)
