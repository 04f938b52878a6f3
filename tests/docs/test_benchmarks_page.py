"""docs/benchmarks.md lists every benchmark there is, with its metric, direction, budget and instance."""

import re
from itertools import product

import pytest
from omegaconf import OmegaConf

from hpo.config.reading import content_of
from hpo.config.schema import CONF_DIR
from tests.support.hosted import ROOT

TEXT = (ROOT / "docs" / "benchmarks.md").read_text()
BENCHMARKS = sorted(path.stem for path in (CONF_DIR / "benchmark").glob("*.yaml"))


def expanded(name):
    """`a_{b,c}` is a_b and a_c."""
    parts = [part.strip("{}").split(",") for part in re.findall(r"\{[^}]*\}|[^{]+", name)]
    return ["".join(choice) for choice in product(*parts)]


def tables():
    """The rows of each table whose first column is a benchmark, as dictionaries."""
    rows, header = [], []
    for line in TEXT.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if cells and cells[0] == "`benchmark=`":
            header = cells
        elif not cells:
            header = []
        elif header and not set(line) <= set("|-"):
            rows.append(dict(zip(header, cells, strict=True)))
    return rows


ROWS = {name: row for row in tables() for name in expanded(row["`benchmark=`"].strip("`"))}


def test_the_page_lists_every_benchmark_and_no_other():
    assert sorted(ROWS) == BENCHMARKS
    listed = [name for row in tables() for name in expanded(row["`benchmark=`"].strip("`"))]
    assert len(listed) == len(set(listed)), "one is listed twice"


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_row_agrees_with_its_file(name):
    config, row = OmegaConf.create(content_of("benchmark", name)), ROWS[name]

    objectives = dict(config.get("objectives") or {config.get("metric"): config.get("mode")})
    assert row["metric"] == ", ".join(f"`{metric}`" for metric in objectives)
    assert row["mode"] == ", ".join(mode if isinstance(mode, str) else mode.mode for mode in objectives.values())
    if "ladder" in row:
        assert row["ladder"] == f"{config.arguments[config.max_resource_attr]} {config.resource_attr}s"
        assert row["instance"].strip("`") == config.get("instance_type", "–")
        workers, time = re.match(r"(\d+) × (\d+ (?:h|min))", row["budget"]).groups()
        amount, unit = time.split()
        assert int(workers) == config.n_workers
        assert int(amount) * {"h": 3600, "min": 60}[unit] == config.max_wallclock_time
        assert ("GPU" in row["budget"]) == (config.num_gpus_per_trial == 1)
    else:
        assert config.get("script") is None
        count = re.match(r"\d+", row["what is tuned"]).group()
        assert int(count) == len(config.config_space)


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if "ladder" in ROWS.get(name, {})])
def test_a_number_that_a_row_names_for_a_domain_stands_in_the_file(name):
    """`lr 1e-3–0.1 log`: both bounds are those of some hyperparameter with that scale."""
    space = OmegaConf.create(content_of("benchmark", name)).config_space
    domains = [domain for domain in space.values() if OmegaConf.is_dict(domain) and "lower" in domain]
    bounds = {(domain.lower, domain.upper, bool(domain.get("log"))) for domain in domains}
    for lower, upper, log in re.findall(r"(\d[\d.e-]*)–(\d[\d.e-]*)( log)?", ROWS[name]["what is tuned"]):
        assert (float(lower), float(upper), bool(log)) in bounds, (lower, upper)
