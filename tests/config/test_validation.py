"""How results are read: keys that do not fit are one sentence that names key, value and remedy."""

import pytest

from hpo.config.choices import ReportChannel
from hpo.config.reading import load_config, resolve
from hpo.errors import ConfigError
from hpo.schedulers.construction import scheduler_of


def config(method="RS", **keys):
    benchmark = {
        "name": "mine",
        "command": ["true"],
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "arguments": {"epochs": 9},
        "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
        "num_gpus_per_trial": 0,
        **keys,
    }
    return resolve(load_config(benchmark, method, random_seed=1))


STDOUT = {"report_channel": "stdout"}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (STDOUT, r"benchmark\.report_channel=stdout: .*loss: 'loss=\(\\S\+\)'"),
        ({"patterns": {"loss": "(.)"}}, r"benchmark\.report_channel=file: benchmark\.patterns belong to stdout"),
        (STDOUT | {"patterns": {"loss": "loss=("}}, r"benchmark\.patterns\.loss=loss=\(: it is not a regular expression"),
        (STDOUT | {"patterns": {"loss": "loss=.*"}}, r"benchmark\.patterns\.loss=loss=\.\*: put parentheses around"),
        (STDOUT | {"patterns": {"acc": "(.)"}}, r"benchmark\.patterns: there is none for benchmark\.metric=loss, only"),
        (STDOUT | {"report_path": "a", "patterns": {"loss": "(.)"}}, r"stdout: benchmark\.report_path belongs to csv"),
        ({"report_channel": "csv"}, r"benchmark\.report_channel=csv: benchmark\.report_path belongs to csv and jsonl"),
        ({"report_channel": "csv", "report_path": "m.csv"}, r"benchmark\.report_path=m\.csv: all trials would write"),
        (
            {"report_channel": "jsonl", "report_path": "/tmp/m", "working_directory": "trial"},
            r"benchmark\.report_path=/tmp/m: all trials .* \{checkpoint_dir\} or \{trial_id\}",
        ),
        ({"first_resource": 0}, r"benchmark\.first_resource=0: use 1, or 0 for a program that counts from 0 and"),
        (STDOUT | {"patterns": {"loss": "(.)"}, "first_resource": 2}, r"benchmark\.first_resource=2: use 1"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_sentence(keys, said):
    with pytest.raises(ConfigError, match=said) as caught:
        config(**keys)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "keys",
    [
        STDOUT | {"patterns": {"loss": r"loss=(\d+)$", "other": "(a)|(b)"}},
        {"report_channel": "csv", "report_path": "logs/m.csv", "working_directory": "trial"},
        {"report_channel": "jsonl", "report_path": "/tmp/{trial_id}/m.jsonl"},
        {"report_channel": "csv", "report_path": "{checkpoint_dir}/m.csv", "first_resource": 0},
    ],
)
def test_what_fits_is_kept(keys):
    assert config(**keys).benchmark.report_channel == ReportChannel(keys["report_channel"])


@pytest.mark.parametrize(
    "keys", [{"patterns": {"loss": "(.)"}}, {"resource_attr": None, "patterns": {"loss": "(.)", "epoch": "(.)"}}]
)
def test_without_a_pattern_for_the_resource_reports_are_counted_and_methods_that_pause_are_refused(keys):
    counted = STDOUT | keys
    assert config(**counted).objective.resource_attr is None
    scheduler_of(config("ASHA-STOP", **counted))
    with pytest.raises(
        ConfigError, match=r"method=ASHA: it pauses trials, .*give benchmark\.patterns\.epoch, or use a method"
    ):
        scheduler_of(config("ASHA", **counted))
    named = STDOUT | {"patterns": {"loss": "(.)", "epoch": "(.)"}}
    assert config(**named).objective.resource_attr == "epoch"
    scheduler_of(config("ASHA", **named))
