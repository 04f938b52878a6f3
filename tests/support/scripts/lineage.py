"""A training whose state is its history: which trial trained each epoch, and with which x. The loss is a function of that."""

import argparse
import json
import os
import time
from pathlib import Path

from hpo import report

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float, required=True)
parser.add_argument("--epochs", type=int, required=True)
parser.add_argument("--seconds", type=float, default=0.0)
parser.add_argument("--how", default="well")
args, _ = parser.parse_known_args()

file = Path(os.environ["HPO_CHECKPOINT_DIR"]) / "state.json"
state = {"x": args.x, "path": []}
if file.exists() and args.how != "ignores its checkpoint":
    state = json.loads(file.read_text())
    if args.how == "dies with another x" and state["x"] != args.x:
        raise SystemExit("size mismatch")
    if not args.how.startswith("keeps its x"):
        state["x"] = args.x


def metrics():
    path = state["path"]
    said = {"x": state["x"]} if args.how == "keeps its x and says so" else {}
    loss = sum((x - 0.3) ** 2 for _, x in path) / len(path) + 1 / len(path)
    return {"epoch": len(path), "loss": loss, "path": path, **said}


if state["path"]:
    report(**metrics())  # again: a kill may have come before the report
for _ in range(len(state["path"]), args.epochs):
    time.sleep(args.seconds)
    state["path"].append([int(os.environ["HPO_TRIAL_ID"]), state["x"]])
    if args.how != "saves nothing":
        temporary = file.with_suffix(".tmp")
        temporary.write_text(json.dumps(state))
        temporary.replace(file)
    report(**metrics())
