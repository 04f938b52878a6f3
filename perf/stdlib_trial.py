"""A training script that only sleeps: 0.2 s per epoch, checkpoint, report. Used by the measurements here."""

import argparse
import json
import os
import time
from pathlib import Path

import hpo

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float, required=True)
parser.add_argument("--epochs", type=int, required=True)
parser.add_argument("--seconds", type=float, default=0.2)
parser.add_argument("--torch", type=int, default=0)
arguments = parser.parse_args()
if arguments.torch:
    import torch

    parameter = torch.nn.Parameter(torch.zeros(10))
    optimizer = torch.optim.SGD([parameter], lr=0.1)

checkpoint = Path(os.environ["HPO_CHECKPOINT_DIR"]) / "epoch.json"
first = json.loads(checkpoint.read_text()) + 1 if checkpoint.exists() else 1
for epoch in range(first, arguments.epochs + 1):
    time.sleep(arguments.seconds)
    if arguments.torch:
        parameter.sum().backward()
        optimizer.step()
    temporary = checkpoint.with_suffix(".tmp")
    temporary.write_text(json.dumps(epoch))
    temporary.replace(checkpoint)
    hpo.report(epoch=epoch, loss=(arguments.x - 0.3) ** 2 + 1 / epoch)
