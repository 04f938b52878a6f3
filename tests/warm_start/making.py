"""Earlier experiments, written by hand."""

from typing import Any

from hpo.config.reading import load_config, resolve
from hpo.config.schema import ExperimentConfig
from hpo.warm_start.results import EarlierExperiment, EarlierResult

LR = {"type": "float", "lower": 1e-4, "upper": 1e-1, "log": True}
LAYERS = {"type": "int", "lower": 1, "upper": 4}


def earlier(*rows: tuple[dict[str, Any], int, float], source: str = "first", **keys: Any) -> EarlierExperiment:
    """An experiment; each row is a trial of its own: configuration, resource, loss."""
    content: dict[str, Any] = {
        "experiment": f"{source}/mine/ASHA/seed_0",
        "events": 3 * len(rows),
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource": 9,
        "config_space": {"lr": LR, "layers": LAYERS},
        "constants": {"epochs": 9},
    }
    results = [EarlierResult(trial, row[0], row[1], {"loss": row[2]}) for trial, row in enumerate(rows)]
    return EarlierExperiment(source=source, results=results, **{**content, **keys})


def new(
    space: dict[str, Any] | None = None, use: str = "points", method: str = "ASHA-GP", **keys: Any
) -> ExperimentConfig:
    """The experiment that starts from it."""
    benchmark = {
        "name": "mine",
        "script": "train.py",
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "config_space": {"lr": LR, "layers": LAYERS} if space is None else space,
        "arguments": {"epochs": 9},
        **keys,
    }
    return resolve(load_config(benchmark, method, random_seed=3, warm_start=["first"], warm_start_use=use))
