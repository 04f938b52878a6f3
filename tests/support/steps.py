"""A small real ASHA experiment on scripts/steps.py, for tests of what is made of one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo import load_config, run_experiment
from tests.conftest import SCRIPTS

STEPS = {
    "name": "mine",
    "script": str(SCRIPTS / "steps.py"),
    "metric": "loss",
    "mode": "min",
    "resource_attr": "epoch",
    "max_resource_attr": "epochs",
    "config_space": {
        "x": {"type": "float", "lower": 0.0, "upper": 1.0},
        "foo": {"type": "int", "lower": 1, "upper": 9},
    },
    "arguments": {"epochs": 9},
    "n_workers": 2,
    "num_gpus_per_trial": 0,
}


def run_steps(folder: Path, benchmark: Mapping[str, Any]) -> Path:
    """Run it under `folder`/outputs, tag t. Returns its directory."""
    path = folder / "outputs" / "t" / "mine" / "ASHA" / "seed_3"
    run_experiment(load_config(benchmark, "ASHA", seed=3, experiment_tag="t", random_seed=5), path)
    return path
