"""CPU time of one suggestion, fits included, with seven trials running.

    python perf/suggestion.py

A space of ten hyperparameters; measurements come one or two at a time between suggestions, as from workers. Medians and
95 % quantiles over the suggestions made while the number of measurements goes from n to 1.1 n, fits included.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import subprocess
import sys
import time

import numpy as np

from hpo.events.outcome import ReportOutcome
from hpo.randomness import Randomness
from hpo.schedulers.mo_asha import ParetoRung
from hpo.searchers import (
    BOHBSearcher,
    GaussianProcessSearcher,
    HyperTuneSearcher,
    ImprovementSearcher,
    IndependentSearcher,
    MOBSTERSearcher,
    MultiObjectiveSearcher,
    TPESearcher,
)
from hpo.searchers.cqr import CQRSearcher
from hpo.searchers.model_based import ModelSearcher
from hpo.space.search_space import parse_space

SPACE = parse_space(
    {
        **{f"f{i}": {"type": "float", "lower": 0.0, "upper": 1.0} for i in range(6)},
        "i": {"type": "int", "lower": 1, "upper": 512, "log": True},
        "o": {"type": "ordinal", "values": [1, 2, 4, 8, 16]},
        "c": {"type": "choice", "values": ["a", "b", "c", "d"]},
        "b": {"type": "choice", "values": [True, False]},
    }
)
LEVELS = (1, 3, 9, 27)


def loss_of(configuration: dict[str, object], resource: int, rng: np.random.Generator) -> float:
    x = [SPACE.domains[name].encode(value) for name, value in configuration.items()]
    return float(sum((v - 0.3) ** 2 for v in x[:5]) + 1 / resource + 0.1 * rng.standard_normal())


def size_of(configuration: dict[str, object]) -> float:
    """A second objective, best elsewhere."""
    x = [SPACE.domains[name].encode(value) for name, value in configuration.items()]
    return float(sum((v - 0.7) ** 2 for v in x[:5]))


def rung_decision(count: int) -> float:
    """CPU milliseconds that MO-ASHA takes to look at a rung of so many results, all on one front, that has changed."""
    rung = ParetoRung(1, 1 / 3)
    for trial_id in range(count - 1):
        angle = 0.5 * np.pi * (trial_id + 0.5) / count
        rung.record_waiting(trial_id, (0.0, float(np.cos(angle)), float(np.sin(angle))))
    times = []
    for again in range(25):
        rung.record_waiting(count - 1, (0.0, 0.5 + again / 1000, 0.5))
        begin = time.process_time()
        rung.promotable()
        times.append(1000 * (time.process_time() - begin))
    return float(np.median(times))


def measure(cls: type[ModelSearcher], n: int, levels: tuple[int, ...], **options: object) -> tuple[float, float]:
    """Milliseconds: median and 95 % quantile."""
    searcher = cls(
        SPACE, Randomness(0, 0), max_resource=levels[-1], points_to_evaluate=[], random_fraction=0.0, **options
    )  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    running: list[dict[str, object]] = []
    draw = np.random.default_rng(1)

    def result(configuration: dict[str, object]) -> None:
        """At the first level, and a third of the time at each further one."""
        for number, level in enumerate(levels):
            if number and draw.random() > 1 / 3:
                return
            searcher.on_report(configuration, level)
            loss = loss_of(configuration, level, rng)
            if searcher.capabilities.objectives:
                searcher.on_outcome(configuration, level, ReportOutcome(loss, further=(size_of(configuration),)))
            else:
                searcher.update(configuration, level, loss)

    while len(searcher.history) < n:
        configuration = SPACE.sample(rng)
        searcher.accept(configuration)
        result(configuration)
    searcher._fits = []  # those of a warm start: one now
    running = []
    for _ in range(7):
        configuration = SPACE.sample(rng)
        searcher.accept(configuration)
        searcher.on_pending(configuration, levels[0])
        running.append(configuration)
    searcher.propose()
    times = []
    while len(searcher.history) < 1.1 * n + 4:
        begin = time.process_time()
        proposal = searcher.propose()
        times.append(1000 * (time.process_time() - begin))
        assert proposal is not None
        searcher.accept(proposal)
        searcher.on_pending(proposal, levels[0])
        running.append(proposal)
        result(running.pop(0))
    assert not searcher.pop_log_messages()
    return float(np.median(times)), float(np.quantile(times, 0.95))


def start_up(method: str) -> float:
    """CPU milliseconds from an empty interpreter to the first suggestion."""
    code = (
        "import time, sys\nfrom hpo import build_scheduler\n"
        "space = {'x': {'type': 'float', 'lower': 0.0, 'upper': 1.0}}\n"
        f"build_scheduler({method!r}, space, max_resource=27, seed=0).suggest()\n"
        "assert 'torch' not in sys.modules and 'scipy' not in sys.modules\n"
        "sys.stdout.write(str(1000 * time.process_time()))"
    )
    times = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(7)]
    return float(np.median(times))


def main() -> None:
    """Print the figures."""
    print("milliseconds of CPU per suggestion, 7 pending, 10 hyperparameters   median    95 %")
    proposing: dict[str, tuple[type[ModelSearcher], tuple[int, ...]]] = {
        "BO": (ImprovementSearcher, (27,)),
        "BO-MEDIAN": (GaussianProcessSearcher, (27,)),
        "ASHA-GP": (GaussianProcessSearcher, LEVELS),
    }
    for label, (cls, levels) in proposing.items():
        for n in (100, 500, 1000):
            median, high = measure(cls, n, levels)
            print(f"  {label:14s} {n:5d} measurements, at most 500 in the model  {median:9.1f} {high:7.1f}")
        median, high = measure(cls, 1000, levels, max_size_data_for_model=1200)
        print(f"  {label:14s}  1000 measurements, all in the model          {median:9.1f} {high:7.1f}")
    for label, levels in (("MO-BO", (27,)), ("MO-ASHA-GP", LEVELS)):
        for n in (100, 500):
            median, high = measure(MultiObjectiveSearcher, n, levels)
            print(f"  {label:14s} {n:5d} measurements, two objectives             {median:9.1f} {high:7.1f}")
    print(f"MO-ASHA looks at a rung of 500 results: {rung_decision(500):.1f} ms of CPU")
    improving: dict[str, type[ModelSearcher]] = {
        "MOBSTER": MOBSTERSearcher,
        "MOBSTER-INDEP": IndependentSearcher,
        "HYPERTUNE": HyperTuneSearcher,
    }
    for label, cls in improving.items():
        median, high = measure(cls, 400, LEVELS)
        print(f"  {label:14s}   400 measurements                           {median:9.1f} {high:7.1f}")
    estimating: dict[str, type[ModelSearcher]] = {"TPE": TPESearcher, "BOHB": BOHBSearcher}
    for label, cls in estimating.items():
        for n in (100, 500, 5000):
            median, high = measure(cls, n, (27,) if label == "TPE" else LEVELS)
            print(f"  {label:14s} {n:5d} measurements, all used                {median:9.1f} {high:7.1f}")
    for n in (50, 200, 500, 1000):
        for refit, said in ((0.0, "with a fit"), (1000.0, "between two fits")):
            median, high = measure(CQRSearcher, n, (27,), refit=refit)
            print(f"  {'CQR':14s} {n:5d} measurements, {said:26s} {median:9.1f} {high:7.1f}")
    random, model = start_up("ASHA"), start_up("MOBSTER")
    print(f"start-up to the first suggestion: ASHA {random:.0f} ms, MOBSTER {model:.0f} ms, {model - random:+.0f} ms")


if __name__ == "__main__":
    main()
