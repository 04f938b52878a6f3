"""Several objectives as they are written in a benchmark, and what is said of those that cannot be used."""

import math
from dataclasses import replace

import pytest
from omegaconf import OmegaConf

from hpo.config.choices import Mode
from hpo.config.reading import load_config, resolve, to_config, to_yaml
from hpo.config.schema import BenchmarkConfig
from hpo.errors import ConfigError
from hpo.events.objective import Aim

BENCHMARK = {
    "name": "b",
    "script": "train.py",
    "config_space": {"x": {"type": "float", "lower": 0, "upper": 1}},
    "resource_attr": "epoch",
}
TWO = {"accuracy": "max", "latency_ms": {"mode": "min", "log": True}}


def config_of(method="RS", *, keys=None, **benchmark):
    return resolve(load_config({**BENCHMARK, **benchmark}, method, **(keys or {})))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"objectives": TWO},
            "benchmark.metric=???: .* the metric and mode of the first, accuracy, too; .* hpo.load_config",
        ),
        ({"objectives": TWO, "metric": "accuracy"}, "benchmark.mode=???: .* of the first, accuracy, too"),
        ({"objectives": TWO, "mode": Mode.max}, "benchmark.metric=???: .* of the first, accuracy, too"),
        ({"mode": Mode.max}, "benchmark.metric=???: give the name of what the script reports"),
        ({"metric": "accuracy"}, "benchmark.mode=???: give Mode.min or Mode.max"),
        ({"metric": "accuracy", "mode": "max"}, "benchmark.mode=max: give Mode.min or Mode.max"),
    ],
)
def test_a_benchmark_made_by_hand_that_lacks_metric_or_mode_is_one_sentence(given, said):
    config = replace(
        load_config({**BENCHMARK, "metric": "x", "mode": "min"}, "RS"), benchmark=BenchmarkConfig(**BENCHMARK, **given)
    )
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        resolve(config)


def test_the_first_objective_is_the_metric_wherever_there_is_room_for_one():
    config = config_of(objectives=TWO, reference_point={"accuracy": 0.5, "latency_ms": 100})
    assert config.objective.aims == (Aim("accuracy", "max"), Aim("latency_ms", "min", log=True))
    assert (config.benchmark.metric, config.benchmark.mode.value) == ("accuracy", "max")
    assert config.objective.outcome({"accuracy": 0.9, "latency_ms": 12}, 1).losses == (-0.9, 12.0)


def test_what_is_stored_reads_back_equal_and_has_the_objectives_alone():
    config = config_of(objectives=TWO)
    stored = OmegaConf.create(to_yaml(config))
    assert "metric" not in stored.benchmark
    assert "mode" not in stored.benchmark
    assert list(stored.benchmark.objectives) == ["accuracy", "latency_ms"]
    assert resolve(to_config(stored)) == config


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"objectives": {"accuracy": "max"}}, r"benchmark.objectives: accuracy alone is one .* benchmark.metric"),
        (
            {"objectives": dict.fromkeys("abcde", "min")},
            r"benchmark.objectives: 5 are given \(a, b, c, d, e\); use at most 4",
        ),
        ({"objectives": {**TWO, "size": "mni"}}, r"benchmark.objectives.size=mni: use min or max.*mean min\?"),
        ({"objectives": {**TWO, "size": {"log": True}}}, r"benchmark.objectives.size.mode: use min or max"),
        ({"objectives": {**TWO, "size": {"mod": "min"}}}, r"benchmark.objectives.size.mod: .*did you mean mode\?"),
        (
            {"objectives": {**TWO, "size": {"mode": "min", "log": "yes"}}},
            r"benchmark.objectives.size.log=yes: use true",
        ),
        ({"objectives": TWO, "metric": "accuracy"}, r"benchmark.metric=accuracy: benchmark.objectives are given too"),
        ({"objectives": TWO, "mode": "max"}, r"benchmark.mode=max: benchmark.objectives are given too"),
        ({"objectives": TWO, "keys": {"target_value": 0.9}}, r"target_value=0.9: with benchmark.objectives"),
        (
            {"objectives": TWO, "reference_point": {"latency": 3, "accuracy": 0}},
            r"benchmark.reference_point.latency: it is none of benchmark.objectives \(accuracy, latency_ms\).*latency_ms\?",
        ),
        (
            {"objectives": TWO, "reference_point": {"accuracy": 0}},
            r"benchmark.reference_point: .*no value for latency_ms",
        ),
        (
            {"objectives": TWO, "reference_point": {"accuracy": 0, "latency_ms": math.inf}},
            r"benchmark.reference_point.latency_ms=inf: use a finite number",
        ),
        (
            {"metric": "accuracy", "mode": "max", "reference_point": {"accuracy": 0}},
            r"benchmark.reference_point: it belongs to benchmark.objectives",
        ),
        (
            {"objectives": TWO, "report_channel": "stdout", "patterns": {"accuracy": "acc=(.*)"}},
            r"benchmark.patterns: there is none for benchmark.objectives.latency_ms",
        ),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_key(given, said):
    with pytest.raises(ConfigError, match=said) as raised:
        config_of(**given)
    assert "\n" not in str(raised.value)
