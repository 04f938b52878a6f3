"""docs/reference/benchmarks.md lists every benchmark, with its metric, direction, budget, instance and space."""

import re

import pytest
from omegaconf import OmegaConf

from hpo.config.config_folders import CONF_DIR
from hpo.config.reading import content_of
from tests.support.hosted import ROOT

TEXT = (ROOT / "docs" / "reference" / "benchmarks.md").read_text()
BENCHMARKS = sorted(path.stem for path in (CONF_DIR / "benchmark").glob("*.yaml"))
COLUMNS = ("benchmark", "what it is", "metric", "ends at", "budget", "instance", "hyperparameters")
LISTED = [line.strip("| ").split(" | ") for line in TEXT.splitlines() if line.startswith("| `")]
ROWS = {cells[0].strip("`"): dict(zip(COLUMNS, cells, strict=True)) for cells in LISTED}


def test_the_page_lists_every_benchmark_once_and_no_other():
    assert sorted(cells[0].strip("`") for cells in LISTED) == BENCHMARKS


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_row_agrees_with_its_file(name):
    config, row = OmegaConf.create(content_of("benchmark", name)), ROWS[name]

    objectives = dict(config.get("objectives") or {config.get("metric"): config.get("mode")})
    for metric, mode in objectives.items():
        assert f"`{metric}` {mode if isinstance(mode, str) else mode.mode}" in row["metric"]
    workers, amount, unit = re.match(r"(\d+) × ([\d.]+) (h|min)", row["budget"]).groups()
    assert int(workers) == config.get("n_workers", 1)
    assert float(amount) * {"h": 3600, "min": 60}[unit] == pytest.approx(config.max_wallclock_time, rel=1e-3)
    assert row["instance"].strip("`") == config.get("instance_type", "–")
    assert all(f"{hyperparameter} " in row["hyperparameters"] for hyperparameter in config.config_space)
    if config.get("script") is not None:
        assert ("GPU" in row["budget"]) == (config.num_gpus_per_trial == 1)
        assert row["ends at"] == f"{config.arguments[config.max_resource_attr]} {config.resource_attr}s"


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_bound_in_a_row_stands_in_the_file(name):
    """`lr 0.001–0.1 log`: both bounds are those of the hyperparameter, with that scale."""
    space = content_of("benchmark", name)["config_space"]
    for hyperparameter, lower, upper, log in re.findall(
        r"(\w+) ([\d.e-]+)–([\d.e-]+)( log)?", ROWS[name]["hyperparameters"]
    ):
        domain = space[hyperparameter]
        assert (float(lower), float(upper)) == pytest.approx((domain["lower"], domain["upper"]))
        assert bool(log) == bool(domain.get("log"))
