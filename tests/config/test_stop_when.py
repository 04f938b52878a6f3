"""The key `stop_when`."""

import pytest

from hpo.config.stop_when import StopWhen, parse_stop_when
from hpo.errors import ConfigError


def test_nothing_is_no_rule_and_what_is_left_out_has_its_default():
    assert parse_stop_when(None) is None
    assert parse_stop_when({}) == StopWhen(32.0, 0.02)
    assert parse_stop_when({"patience": 8}) == StopWhen(8.0, 0.02)
    assert parse_stop_when({"min_improvement": 0.1}) == StopWhen(32.0, 0.1)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (32, r"^stop_when=32: use a mapping, such as {patience: 32}, or null$"),
        ({"patiense": 3}, r"^stop_when.patiense: use patience and min_improvement; did you mean 'patience'\?$"),
        ({"patience": 0.5}, r"^stop_when.patience=0.5: use a number of full-budget evaluations, at least 1$"),
        ({"min_improvement": 0}, r"^stop_when.min_improvement=0: use a positive number, such as 0.02, "),
        ({"patience": "many"}, r"^stop_when.patience=many: use a number$"),
        ({"patience": True}, r"^stop_when.patience=True: use a number$"),
        ({"patience": float("nan")}, r"^stop_when.patience=nan: use a number$"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(written, said):
    with pytest.raises(ConfigError, match=said):
        parse_stop_when(written)
