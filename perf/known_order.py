"""Do simulations reproduce what is known? ASHA ahead of RS at every budget from 10 %; promotion not worse than stopping.

    python perf/known_order.py [--seeds 30]

Six tables, paired seeds. A difference is of normalised regret (mean over log time, and at the end of the budget), with
the interval of `hpo compare`; below 0 the first method is ahead.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import hpo
from hpo.analysis import compare
from hpo.config.schema import ExperimentConfig
from hpo.experiment.batch import run_batch

BENCHMARKS = (
    "nasbench201_cifar100",
    "nasbench201_imagenet",
    "fcnet_protein_structure",
    "fcnet_parkinsons_telemonitoring",
    "hpobench_vehicle",
    "generated_faithful",
)


def run(methods: Sequence[str], n_workers: int, seeds: int, folder: Path) -> list[Path]:
    """Simulate every benchmark x method x seed."""
    experiments: list[tuple[ExperimentConfig, Path]] = []
    for benchmark in BENCHMARKS:
        for method in methods:
            for seed in range(seeds):
                config = hpo.load_config(benchmark, method, seed=seed, random_seed=0, n_workers=n_workers)
                experiments.append((config, folder / benchmark / method / f"seed_{seed}"))
    failed = [result.error for result in run_batch(experiments) if result.code != 0]
    assert not failed, failed[0]
    return [folder / benchmark for benchmark in BENCHMARKS]


def show(places: Sequence[Path], first: str, second: str, share: float) -> None:
    """Print the difference at a share of the budget, benchmarks together."""
    budgets = {place: hpo.load_config(place.name, "RS").benchmark.max_wallclock_time or 0.0 for place in places}
    ahead = []
    for place in places:
        end = share * budgets[place]
        pairs = compare([place], baseline=second, metric_budget=(end / 10, end), score="final").pairs
        row = pairs[(pairs["score"] == "final")].iloc[0].to_dict()
        sign = 1.0 if row["first"] == first else -1.0
        ahead.append((place.name, sign * row["difference"], sorted((sign * row["low"], sign * row["high"]))))
    mean = sum(difference for _, difference, _ in ahead) / len(ahead)
    print(f"{first} - {second} at {share:.0%} of the budget: mean difference {mean:+.4f}")
    for name, difference, (low, high) in ahead:
        print(f"    {name:34s} {difference:+.4f} [{low:+.4f}, {high:+.4f}]")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=30)
    seeds = parser.parse_args().seeds
    with tempfile.TemporaryDirectory() as directory:
        places = run(("RS", "ASHA"), 4, seeds, Path(directory) / "four")
        for share in (0.1, 0.3, 1.0):
            show(places, "ASHA", "RS", share)
        places = run(("ASHA", "ASHA-STOP"), 1, seeds, Path(directory) / "one")
        show(places, "ASHA", "ASHA-STOP", 1.0)


if __name__ == "__main__":
    main()
