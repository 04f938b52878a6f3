"""Constraints as they are written: what can be used, and one sentence for what cannot."""

from importlib.util import find_spec

import pytest

from hpo import load_config
from hpo.config.constraints import parse_constraints
from hpo.config.validation import check
from hpo.errors import ConfigError
from hpo.events.outcome import Constraint


def test_a_bound_is_upper_or_lower_and_asked_of_every_report_or_of_the_end():
    written = {"ms": {"upper": 20}, "recall": {"lower": 0.9, "at": "end"}, "bias": {"lower": -1.5, "upper": None}}
    assert parse_constraints(written, 9) == (
        Constraint("ms", 20.0, upper=True, at_end=False),
        Constraint("recall", 0.9, upper=False, at_end=True),
        Constraint("bias", -1.5, upper=False, at_end=False),
    )
    assert [str(one) for one in parse_constraints(written, 9)] == ["ms <= 20", "recall >= 0.9", "bias >= -1.5"]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (20, r"constraints\.ms=20: write \{upper: 20\}"),
        ({}, r"constraints\.ms: neither is given of upper and lower; give one"),
        ({"upper": None}, "neither is given"),
        ({"upper": 20, "lower": 3}, "both are given"),
        ({"upper": float("nan")}, r"constraints\.ms\.upper=nan: use a finite number"),
        ({"lower": float("-inf")}, r"constraints\.ms\.lower=-inf: use a finite number"),
        ({"upper": "fast"}, "use a finite number"),
        ({"upper": True}, "use a finite number"),
        ({"uper": 20}, r"constraints\.ms\.uper: .*did you mean 'upper'"),
        ({"upper": 20, "at": "start"}, r"constraints\.ms\.at=start: use end"),
        ({"upper": 20, "at": "end"}, r"constraints\.ms\.at=end: .*max_resource_attr"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(spec, says):
    with pytest.raises(ConfigError, match=says) as caught:
        parse_constraints({"ms": spec}, None)
    assert "\n" not in str(caught.value)


def benchmark(**keys):
    space = {"x": {"type": "float", "lower": 0, "upper": 1}}
    return {"name": "b", "script": "b.py", "metric": "loss", "mode": "min", "config_space": space, **keys}


def test_a_program_whose_output_is_searched_needs_a_pattern_for_each():
    keys = {"report_channel": "stdout", "patterns": {"loss": "loss=(.*)"}, "constraints": {"ms": {"upper": 1}}}
    with pytest.raises(
        ConfigError, match=r"benchmark\.patterns: there is none for benchmark\.constraints\.ms, only for loss"
    ):
        check(load_config(benchmark(**keys), "RS", seed=0, experiment_tag="t"))


def test_methods_that_know_nothing_of_constraints_are_refused():
    from dataclasses import replace

    from hpo.schedulers.construction import scheduler_of

    if find_spec("botorch") is None:  # importing it takes seconds
        pytest.skip("the extra botorch is not installed")
    config = load_config(benchmark(constraints={"ms": {"upper": 1}}), "BOTORCH", seed=0, random_seed=0)
    with pytest.raises(
        ConfigError, match=r"method=BOTORCH: its searcher BoTorchSearcher knows nothing of benchmark\.constraints"
    ):
        scheduler_of(config)
    scheduler_of(replace(config, benchmark=replace(config.benchmark, constraints={})))
