"""Real runs of a benchmark against simulated ones over its recorded table: the same decisions?

    OMP_NUM_THREADS=1 python perf/simulated_against_real.py [--benchmark mlp_digits_grid] [--seeds 5] [--trials 20]

One worker, ASHA, the master seed of the recording. Times differ, decisions may not.
"""

import argparse
import os
import tempfile
from pathlib import Path

import hpo
from hpo.events.types import Kind


def decisions(benchmark: str, seed: int, backend: str, trials: int, folder: Path) -> list[tuple[object, ...]]:
    """What was started, resumed and decided, in order."""
    config = hpo.load_config(
        benchmark,
        "ASHA",
        seed=seed,
        random_seed=0,
        n_workers=1,
        backend={"name": backend},
        max_num_trials=trials,
        max_wallclock_time=1e6,
    )
    outcome = hpo.run_experiment(config, folder / backend / str(seed))
    log: list[tuple[object, ...]] = []
    for event in hpo.load_experiment(outcome.directory).events:
        if event.kind in (Kind.STARTED, Kind.RESUMED):
            log.append((event.kind, event.trial, event.body.get("configuration"), event.body["until"]))
        elif event.kind == Kind.REPORTED:
            log.append(
                (event.trial, event.resource, event.body["metrics"][config.benchmark.metric], event.body["decision"])
            )
    return log


def equal_runs(benchmark: str, seeds: int, trials: int) -> tuple[int, int]:
    """(seeds with equal logs, decisions compared)."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as when the table was recorded: sums depend on it
    same = compared = 0
    with tempfile.TemporaryDirectory() as directory:
        for seed in range(seeds):
            real, simulated = (
                decisions(benchmark, seed, backend, trials, Path(directory)) for backend in ("local", "simulated")
            )
            same += real == simulated
            compared += len(real)
    return same, compared


def main() -> None:
    """Print the figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--benchmark", default="mlp_digits_grid")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=20)
    arguments = parser.parse_args()
    same, compared = equal_runs(arguments.benchmark, arguments.seeds, arguments.trials)
    print(f"{same} of {arguments.seeds} runs took the same decisions ({compared} compared)")


if __name__ == "__main__":
    main()
