# ruff: noqa: PTH103, PTH118, PTH123, T201
"""A training script as Syne Tune's documentation has it: nothing in it knows of hpo."""

import argparse
import json
import logging
import os
import time

from syne_tune import Reporter
from syne_tune.utils import (
    add_checkpointing_to_argparse,
    checkpoint_model_at_rung_level,
    resume_from_checkpointed_model,
)

if __name__ == "__main__":
    root = logging.getLogger()
    root.setLevel(logging.INFO)

    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--lr", type=float, required=True)
    add_checkpointing_to_argparse(parser)
    args, _ = parser.parse_known_args()
    config = vars(args)

    state = {"sum": 0.0}

    def load_model_fn(local_path):
        local_filename = os.path.join(local_path, "model.json")
        try:
            with open(local_filename) as file:
                data = json.load(file)
            state.update(data["state"])
            return data["epoch"]
        except Exception:
            return 0

    def save_model_fn(local_path, epoch):
        os.makedirs(local_path, exist_ok=True)
        with open(os.path.join(local_path, "model.json"), "w") as file:
            json.dump({"epoch": epoch, "state": state}, file)

    report = Reporter()
    resume_from = resume_from_checkpointed_model(config, load_model_fn)
    print(f"resume from {resume_from}")
    for epoch in range(resume_from + 1, args.epochs + 1):
        state["sum"] += args.lr
        time.sleep(0.01)
        checkpoint_model_at_rung_level(config, save_model_fn, epoch)
        report(epoch=epoch, total=state["sum"], mean_loss=1 / epoch + args.lr)
        print(f"epoch {epoch} done")
