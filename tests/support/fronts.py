"""Experiments with several objectives, simulated from a small table, and what a front is by its definition."""

import itertools
import math
from pathlib import Path

import numpy as np

from hpo import load_config, load_experiment, run_experiment
from hpo.tables.table import Table

EPOCHS = 4
WIDTHS = list(range(1, 31))
SPACE = {
    "width": {"type": "ordinal", "values": WIDTHS},
    "kind": {"type": "choice", "values": ["a", "b"]},
}
TWO = {"error": "min", "speed": {"mode": "max"}}
THREE = {"error": {"mode": "min", "log": True}, "speed": "max", "size": "min"}


def table(folder):
    """Error falls with the width and over the epochs, speed falls with it, size has a minimum; some errors are not finite."""
    rows = list(itertools.product(WIDTHS, ["a", "b"]))
    rng = np.random.default_rng(5)
    bumps = rng.random(len(rows))
    error = np.array(
        [[[(1 + b) / w + 0.5 / e for e in range(1, EPOCHS + 1)]] for (w, _), b in zip(rows, bumps, strict=True)]
    )
    error[7] = np.nan
    speed = np.array([[[100.0 / (w + 3 * b)] * EPOCHS] for (w, _), b in zip(rows, bumps[::-1], strict=True)])
    size = np.array([[[abs(w - 12.0) + (k == "b")] * EPOCHS] for w, k in rows])
    about = {
        "name": "fronts",
        "config_space": SPACE,
        "metric": "error",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource": EPOCHS,
    }
    columns = {"width": np.array([w for w, _ in rows]), "kind": np.array([k for _, k in rows])}
    made = Table(about, columns, {"error": error, "speed": speed, "size": size}, np.cumsum(np.ones_like(error), axis=2))
    made.save(Path(folder) / "fronts")
    return Path(folder) / "fronts"


def run(place, made, method="RS", *, seed=0, tag="t", objectives=TWO, trials=20, **benchmark):
    """An experiment at place/tag/fronts/METHOD/seed_N, as it is loaded."""
    content = {
        "name": "fronts",
        "table": str(made),
        "objectives": objectives,
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "arguments": {"epochs": EPOCHS},
        "config_space": SPACE,
        **benchmark,
    }
    keys = {"seed": seed, "random_seed": 3, "experiment_tag": tag, "max_num_trials": trials, "n_workers": 2}
    config = load_config(content, method, **keys, num_gpus_per_trial=0)
    directory = Path(place) / tag / "fronts" / method / f"seed_{seed}"
    run_experiment(config, directory)
    return load_experiment(directory)


def losses_of(experiment, objectives=TWO):
    """(elapsed, trial, resource, losses) of each report, in the order of the log: lower is better, NaN is +inf."""
    signs = [-1.0 if "max" in str(mode) else 1.0 for mode in objectives.values()]
    found = []
    for event in experiment.events:
        if event.kind.name == "REPORTED":
            values = [sign * event.body["metrics"][name] for name, sign in zip(objectives, signs, strict=True)]
            losses = tuple(value if math.isfinite(value) else math.inf for value in values)
            found.append((event.elapsed, event.trial, event.resource, losses))
    return found


def front_by_definition(points):
    """The losses, each once, that no other equals in all and betters in one."""
    finite = sorted({point for point in points if all(map(math.isfinite, point))})
    return [p for p in finite if not any(q != p and all(a <= b for a, b in zip(q, p, strict=True)) for q in finite)]


def volume_by_counting(points, ideal, reference):
    """The share of the box that points dominate: the cells between all of their coordinates, counted one by one."""
    m = len(ideal)
    axes = []
    for i in range(m):
        inside = [max(p[i], ideal[i]) for p in points if p[i] < reference[i]]
        axes.append(sorted({ideal[i], reference[i], *inside}))
    total = 0.0
    for cell in itertools.product(*(range(len(axis) - 1) for axis in axes)):
        corner = [axis[c] for axis, c in zip(axes, cell, strict=True)]
        if any(all(a <= b for a, b in zip(p, corner, strict=True)) for p in points):
            sides = [(axis[c + 1] - axis[c]) / (axis[-1] - axis[0]) for axis, c in zip(axes, cell, strict=True)]
            total += math.prod(sides)
    return total
