"""The tasks of model_search.py: all tables of the simulated backend, and continuous spaces.

A third of them is held out: constants were chosen without looking at them.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from hpo import Decision, Trial, load_config
from hpo.randomness import Randomness
from hpo.schedulers.base import Scheduler
from hpo.space.search_space import parse_space
from hpo.tables.lookup import find_table
from hpo.tables.synthetic_tables import stated_correlation

DESIGN = (
    *("fcnet_naval_propulsion", "fcnet_parkinsons_telemonitoring", "fcnet_protein_structure"),
    *("nasbench201_cifar10", "nasbench201_cifar100"),
    *("hpobench_australian", "hpobench_blood_transfusion", "hpobench_car", "hpobench_kc1", "hpobench_phoneme"),
    *("generated/faithful/0", "generated/typical/0", "generated/misleading/0", "mlp_digits_grid"),
    *("continuous/typical/0", "continuous/typical/1"),
)
HELD_OUT = (
    *("fcnet_slice_localization", "nasbench201_imagenet"),
    *("hpobench_credit_g", "hpobench_segment", "hpobench_vehicle"),
    *("generated/faithful/7", "generated/typical/7", "generated/misleading/7"),
    "continuous/typical/7",
)
RECORDED = (
    *("mlp_digits_grid", "sgd_digits_grid", "xgboost_cancer_grid"),
    *("lightgbm_diabetes_grid", "cnn_fashionmnist_grid", "fourier_photo_grid"),
)
"""Real learning curves, the first of them a design task. No constant was chosen by the others, and `all` is without them: its
results are kept."""


class Asked:
    """What is asked of a result: here its loss alone."""

    def tell(self, scheduler: Scheduler, trial: Trial, resource: int, loss: float) -> tuple[float, Decision]:
        """The loss that counts for the best so far, and the scheduler's decision."""
        return loss, scheduler.on_report(trial, resource, loss)


class TableTask(Asked):
    """A table as the simulated backend would use it."""

    def __init__(self, name: str) -> None:
        if name.startswith("generated/"):
            self.table = find_table(name)
        else:
            config = load_config(name, "RS", seed=0, random_seed=0)
            self.table = find_table(str(config.benchmark.table))
        self.space = self.table.about["config_space"]
        self.max_resource = self.table.max_resource
        self.sign = -1.0 if self.table.about["mode"] == "max" else 1.0
        final = self.sign * self.table.metrics[self.table.about["metric"]][:, :, -1].mean(axis=1)
        self.best, self.median = float(np.nanmin(final)), float(np.nanmedian(final))
        self.full = float(np.median(self.table.seconds[:, :, -1]))

    def training(self, configuration: Mapping[str, Any], randomness: Randomness) -> tuple[list[float], list[float]]:
        """Losses and elapsed seconds after each unit of resource."""
        metrics, seconds = self.table.training(configuration, self.table.replicate(randomness, configuration))
        values = metrics[self.table.about["metric"]]
        return ([-v for v in values] if self.sign < 0 else values), seconds


class ContinuousTask(Asked):
    """As hpo.tables.synthetic_tables, but over a space of floats, integers and a choice."""

    def __init__(self, name: str) -> None:
        _, self.family, number = name.split("/")
        rng = Randomness(0, int(number)).stream("continuous")
        self.space = self.make_space()
        self.max_resource = 27
        self.parsed = parse_space(self.space)
        self._fields = [self._field(rng) for _ in range(3)]
        sample = [self.parsed.sample(rng) for _ in range(20000)]
        points = np.array([self._point(c) for c in sample])
        raw = np.array([self._raw(field, points) for field in self._fields])
        self._centre, self._spread = raw.mean(axis=1), raw.std(axis=1)
        final = np.exp(0.5 * (raw[0] - self._centre[0]) / self._spread[0])
        self.best, self.median, self.full = float(final.min()), float(np.median(final)), 27.0
        resources = np.arange(1.0, 28.0)
        end = 27**-0.5
        self._gap = 3.0 * (resources**-0.5 - end) / (1 - end)
        rho = np.array([stated_correlation(self.family, int(r)) for r in resources[:-1]])
        self._strength = np.append(np.sqrt(1 - rho**2) / rho, 0.0)

    @staticmethod
    def make_space() -> dict[str, Any]:
        """As in a benchmark's YAML."""
        return {
            "a": {"type": "float", "lower": 1e-5, "upper": 1.0, "log": True},
            "b": {"type": "float", "lower": 0.0, "upper": 1.0},
            "c": {"type": "float", "lower": 0.0, "upper": 1.0},
            "d": {"type": "int", "lower": 4, "upper": 1024, "log": True},
            "e": {"type": "choice", "values": ["p", "q", "r"]},
        }

    def _field(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        width = len(self._point(self.parsed.default))
        return rng.normal(size=(width, 64)) * 2.5 / math.sqrt(5), rng.uniform(0, 2 * math.pi, 64), rng.normal(size=64)

    def _point(self, configuration: Mapping[str, Any]) -> list[float]:
        units = [self.parsed.domains[n].encode(configuration[n]) for n in "abcd"]
        return [*units, *(float(configuration["e"] == v) * 0.7 for v in "pqr")]

    @staticmethod
    def _raw(field: tuple[np.ndarray, np.ndarray, np.ndarray], points: np.ndarray) -> np.ndarray:
        return np.cos(points @ field[0] + field[1]) @ field[2]

    @staticmethod
    def _above(wobble: np.ndarray) -> np.ndarray:
        return wobble

    def training(self, configuration: Mapping[str, Any], randomness: Randomness) -> tuple[list[float], list[float]]:
        point = np.array([self._point(configuration)])
        y, region, pace = (
            (float(self._raw(f, point)[0]) - c) / s
            for f, c, s in zip(self._fields, self._centre, self._spread, strict=True)
        )
        noise = np.random.default_rng(randomness.training_seed(configuration)).standard_normal(27)
        losses = np.exp(0.5 * (y + self._gap + self._strength * self._above(0.7 * region + 0.714 * noise)))
        return losses.tolist(), (math.exp(0.7 * pace) * np.arange(1.0, 28.0)).tolist()


@lru_cache(maxsize=64)
def task_of(name: str) -> TableTask | ContinuousTask:
    return ContinuousTask(name) if name.startswith("continuous/") else TableTask(name)


def tasks_of(text: str) -> list[str]:
    """What is said of tasks on a command line: `design`, `held-out`, `all`, `recorded`, or names."""
    named = {"design": DESIGN, "held-out": HELD_OUT, "all": DESIGN + HELD_OUT, "recorded": RECORDED}
    return list(named.get(text) or text.split(","))
