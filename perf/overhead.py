"""Wall time over ideal time: what the tuner, the host and the store cost while trials train.

    python perf/overhead.py [--budget 30] [--torch]

Two workers, epochs of 0.2 s, at most 9 per trial; ideal = epochs done x 0.2 s / 2. The last epochs, cut off by the
budget, count as overhead.
"""

import argparse
import tempfile
from pathlib import Path

import hpo

SCRIPT = Path(__file__).with_name("stdlib_trial.py")
EPOCH, WORKERS = 0.2, 2


def ratio(method: str, budget: float, torch: bool) -> tuple[float, int, int]:
    """(wall / ideal, epochs, trials) of one run."""
    benchmark = {
        "name": "sleep",
        "script": str(SCRIPT),
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
        "arguments": {"epochs": 9, "seconds": EPOCH, "torch": int(torch)},
        "preload": ["torch", "torch._dynamo"] if torch else [],
        "n_workers": WORKERS,
        "max_wallclock_time": budget,
        "num_gpus_per_trial": 0,
    }
    with tempfile.TemporaryDirectory() as directory:
        config = hpo.load_config(benchmark, method, random_seed=1)
        outcome = hpo.run_experiment(config, directory)
        state = outcome.state
        wall = state.elapsed
        if torch:  # loading torch once per experiment is no overhead of a trial
            first = next(e for e in hpo.load_experiment(directory).events if e.kind == "reported")
            wall = state.elapsed - first.elapsed + EPOCH
        return wall / (state.reports * EPOCH / WORKERS), state.reports, len(state.trials)


def main() -> None:
    """Print one line per method."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--budget", type=float, default=30)
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--methods", default="RS,ASHA-STOP,ASHA")
    arguments = parser.parse_args()
    for method in arguments.methods.split(","):
        value, epochs, trials = ratio(method, arguments.budget, arguments.torch)
        print(f"{method:10s} wall/ideal {value:.4f}  ({epochs} epochs, {trials} trials)")


if __name__ == "__main__":
    main()
