"""What share of a real run's time goes into deciding?

    python perf/deciding.py [--method MOBSTER] [--trials 150]

mlp_digits, two workers; the time inside the scheduler (suggestions, reports, ends) over the wall time of the run.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import hpo
from hpo.schedulers import ASHA


def timed(function: Callable[..., Any], total: list[float]) -> Callable[..., Any]:
    """The same function; the seconds spent in it are added up."""

    def wrapper(*arguments: Any, **options: Any) -> Any:
        begin = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            total[0] += time.perf_counter() - begin

    return wrapper


def main() -> None:
    """Run once and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", default="MOBSTER")
    parser.add_argument("--trials", type=int, default=150)
    options = parser.parse_args()
    total = [0.0]
    for name in ("suggest", "on_report", "on_start", "on_complete", "on_error"):
        setattr(ASHA, name, timed(getattr(ASHA, name), total))
    with tempfile.TemporaryDirectory() as folder:
        config = hpo.load_config(
            "mlp_digits",
            options.method,
            seed=0,
            random_seed=0,
            n_workers=2,
            max_num_trials=options.trials,
            max_wallclock_time=3600,
        )
        begin = time.perf_counter()
        hpo.run_experiment(config, Path(folder) / "experiment")
        wall = time.perf_counter() - begin
    print(
        f"{options.method}, {options.trials} trials: {total[0]:.2f} s of {wall:.1f} s deciding, {total[0] / wall:.2%}"
    )


if __name__ == "__main__":
    main()
