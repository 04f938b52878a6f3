"""The file of earlier results: what is written is read, and what is not such a file is said to be none."""

import json
from dataclasses import replace

import pytest

from hpo.errors import ConfigError, StoreError
from hpo.schedulers.construction import scheduler_of
from hpo.space.search_space import parse_space
from hpo.warm_start.matching import match_results
from hpo.warm_start.results import from_lines, read_copy, sha256_of, to_lines
from tests.warm_start.making import LAYERS, LR, earlier, new

FIRST = earlier(({"lr": 0.01, "layers": 2}, 9, 0.5), ({"lr": 0.02, "layers": 1}, 1, float("nan")))


def test_what_is_written_is_read(tmp_path):
    content = to_lines([FIRST, earlier(source="empty")])
    again = from_lines(content, tmp_path)
    assert to_lines(again) == content
    assert [experiment.source for experiment in again] == ["first", "empty"]
    assert again[0].results[0] == FIRST.results[0]
    assert list(again[0].losses())[1] == float("inf")


@pytest.mark.parametrize("text", ["[1]", '{"source": 1}', '{"trial": 0}', "{", "\xff", '{"source": "a", "b": 1}'])
def test_what_is_no_such_file_is_one_sentence(tmp_path, text):
    with pytest.raises(ConfigError, match=r"is not a warm_start.jsonl as hpo writes it"):
        from_lines(text.encode("latin-1"), tmp_path / "x.jsonl")


def test_a_copy_that_is_gone_or_altered_is_refused(tmp_path):
    content = to_lines([FIRST])
    config = replace(new(), warm_start_sha256=sha256_of(content))
    with pytest.raises(
        StoreError, match="is gone, and the experiment has started from its earlier results; put it back"
    ):
        read_copy(config, tmp_path)
    (tmp_path / "warm_start.jsonl").write_bytes(content.replace(b"0.5", b"0.4"))
    with pytest.raises(StoreError, match="is not what the experiment has started from"):
        read_copy(config, tmp_path)
    (tmp_path / "warm_start.jsonl").write_bytes(content)
    assert to_lines(read_copy(config, tmp_path)) == content


GATED = {
    "opt": {"type": "choice", "values": ["sgd", "adam"]},
    "beta": {"type": "float", "lower": 0.0, "upper": 1.0, "when": {"opt": "adam"}},
    "lr": LR,
    "depth": LAYERS,
    "alpha": {"type": "float", "lower": 0.0, "upper": 1.0, "when": {"depth": 4}},
}
"""Sorted by name, both conditional hyperparameters come before what decides on them."""
ROWS = (
    ({"opt": "adam", "beta": 0.5, "lr": 0.01, "depth": 1}, 9, 0.5),
    ({"opt": "sgd", "lr": 0.02, "depth": 4, "alpha": 0.25}, 9, 0.25),
    ({"opt": "sgd", "lr": 0.05, "depth": 2}, 9, 0.75),
)


@pytest.fixture(params=["written now", "with sorted names, as it was written before"])
def conditional(request, tmp_path):
    """Two earlier experiments with conditional hyperparameters, as they are read from a file."""
    content = to_lines([earlier(*ROWS, config_space=GATED), earlier(*ROWS, source="second", config_space=GATED)])
    if request.param != "written now":
        lines = [json.dumps(json.loads(line), sort_keys=True) for line in content.decode().splitlines()]
        content = "\n".join(lines).encode()
    return from_lines(content, tmp_path)


def test_the_order_of_a_space_is_kept(tmp_path):
    (again,) = from_lines(to_lines([earlier(config_space=GATED)]), tmp_path)
    assert list(again.config_space) == list(GATED)


def test_a_space_whose_names_were_sorted_is_read_with_what_decides_above_what_depends_on_it(conditional):
    for experiment in conditional:
        assert experiment.config_space == GATED
        assert set(parse_space(experiment.config_space).domains) == set(GATED)


@pytest.mark.parametrize(
    ("use", "methods"),
    [
        ("points", ["RS", "ASHA", "HYPERBAND", "ASHA-GP", "BO", "TPE", "MOBSTER"]),
        ("data", ["ASHA-GP", "BO", "TPE", "ASHA-TPE"]),
        ("portfolio", ["RS", "ASHA", "ASHA-GP", "TPE"]),
        ("hurdle", ["ASHA", "ASHA-STOP", "HYPERBAND"]),
    ],
)
def test_a_search_starts_from_conditional_hyperparameters_whatever_is_done_with_them(conditional, use, methods):
    for method in methods:
        config = replace(new(GATED, use, method), warm_start=["first", "second"])
        assert [len(source.fits) for source in match_results(conditional, config)] == [3, 3]
        first = scheduler_of(config, conditional).propose().configuration
        if use in ("points", "portfolio", "hurdle"):
            assert first in [row[0] for row in ROWS]
