"""CQR: which results it learns from and when, whose draw wins, and what is kept of the library that decides with it."""

import importlib.util
import itertools
import math
import random
from importlib import metadata

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from hpo import build_scheduler, load_config, run_experiment
from hpo.cli.commands.status import replay
from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.events.types import Kind
from hpo.randomness import Randomness
from hpo.results.experiment import load_experiment
from hpo.searchers import cqr
from hpo.searchers.botorch import BoTorchSearcher
from hpo.searchers.cqr import CQRSearcher, fitted_at
from hpo.space.search_space import parse_space
from hpo.surrogate.quantile_regression import Quantiles

SQUARE = parse_space({name: {"type": "float", "lower": 0.0, "upper": 1.0} for name in "xy"})


def searcher_of(space=SQUARE, **options):
    return CQRSearcher(space, Randomness(0, 0), max_resource=27, **{"iterations": 4, **options})


def distance(configuration):
    return math.hypot(configuration["x"] - 0.3, configuration["y"] - 0.7)


def train(searcher, count):
    """So many suggestions, each told its result."""
    for _ in range(count):
        configuration = searcher.suggest()
        searcher.on_pending(configuration, 27)
        searcher.update(configuration, 27, distance(configuration))
    return searcher


class Trees:
    """The first column, or a constant that never wins."""

    def __init__(self, wins):
        self.wins = wins

    def predict(self, x):
        return x[:, 0] if self.wins else np.full(len(x), 2.0)


@pytest.mark.parametrize("level", range(5))
def test_each_candidate_has_one_of_five_quantiles_and_the_lowest_is_proposed(level, monkeypatch):
    model = Quantiles([Trees(wins=number == level) for number in range(5)], np.zeros(5))
    monkeypatch.setattr(cqr, "fit", lambda *_, **__: model)
    searcher = train(searcher_of(num_candidates=500), 6)
    proposed = [searcher.suggest()["x"] for _ in range(60)]
    # The least of about 100 uniform numbers, a fifth of the candidates: 1/101 on average, with that deviation.
    assert np.mean(proposed) == pytest.approx(1 / 101, abs=4 / 101 / math.sqrt(60))


def test_the_model_is_fitted_at_fixed_counts_that_grow_by_a_twentieth():
    counts = sorted({fitted_at(n, 0.05) for n in range(4, 1000)})
    assert counts[:20] == [*range(4, 21), 21, 23, 25]  # from 20 on: ⌈1.05 · 20⌉, ⌈1.05 · 21⌉, ⌈1.05 · 23⌉
    for one, following in itertools.pairwise(counts):
        assert following >= one + 1
        assert following / one >= 1.05
        assert following == one + 1 or (following - 1) / one < 1.05
    assert [fitted_at(n, 0.05) for n in (4, 22, 23, 24, 25)] == [4, 21, 23, 23, 25]
    assert [fitted_at(n, 0.0) for n in (4, 5, 100)] == [4, 5, 100]


def test_a_proposal_depends_on_the_log_and_not_on_when_others_were_asked_for(monkeypatch):
    fits, fit = [], cqr.fit
    monkeypatch.setattr(cqr, "fit", lambda x, *rest, **more: fits.append(len(x)) or fit(x, *rest, **more))
    asked, fed = searcher_of(), searcher_of()
    for _ in range(48):
        configuration = asked.suggest()
        fed.accept(configuration)
        for searcher in (asked, fed):
            searcher.update(configuration, 27, distance(configuration))
    assert fits == [*range(6, 21), 21, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 44, 47]
    fits.clear()
    assert asked.propose() == fed.propose() == fed.propose()
    assert fits == [47], "once, by the one that was not asked before"


def test_a_trial_counts_by_its_last_result_and_what_breaks_a_bound_stands_behind(monkeypatch):
    told = []
    model = Quantiles([Trees(wins=True)] * 5, np.zeros(5))
    monkeypatch.setattr(cqr, "fit", lambda x, y, *_, **__: told.append((x, y)) or model)
    searcher = searcher_of(refit=0.0)
    trials = [searcher.suggest() for _ in range(6)]
    searcher.on_pending(trials[5], 1)  # runs, and has no result
    for resource, losses in ((1, (0.9, 0.8, 0.7, 0.6, 0.5)), (3, (0.1, 0.3))):
        for configuration, loss in zip(trials, losses, strict=False):
            searcher.update(configuration, resource, loss)
    searcher.propose()
    x, y = told.pop()
    assert y.tolist() == [0.1, 0.3, 0.7, 0.6, 0.5]
    assert x.tolist() == [[one["x"], one["y"]] for one in trials[:5]]
    searcher.update(trials[2], 3, math.inf)
    searcher.on_outcome(trials[3], 3, ReportOutcome(0.0, violation=2.0))
    searcher.on_outcome(trials[4], 3, ReportOutcome(0.0, violation=1.0))
    searcher.propose()
    x, y = told.pop()
    assert y[:2].tolist() == [0.1, 0.3]
    assert 0.3 < y[4] < y[3] <= y[2], "beyond the bound by less, by more, and diverged"


def test_trees_grow_on_one_thread_however_many_there_are(monkeypatch):
    """On two, which wait for each other, a fit takes a hundred times as long where trials use the cores."""
    seen, fit = [], cqr.fit

    def spy(*rest, **more):
        seen.append({library["num_threads"] for library in threadpool_info()})
        return fit(*rest, **more)

    monkeypatch.setattr(cqr, "fit", spy)
    searcher = train(searcher_of(), 6)
    searcher.prepare()
    with threadpool_limits(2):
        before = threadpool_info()
        assert {library["num_threads"] for library in before if library["user_api"] == "openmp"} == {2}
        searcher.propose()
        assert threadpool_info() == before
    assert seen == [{1}]


def test_global_randomness_has_no_say():
    found = []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002  what must have no say
        found.append([train(searcher_of(), 12).suggest()])
    assert found[0] == found[1]


@pytest.mark.long
def test_it_learns_which_of_many_choices_are_good_and_that_one_is_not_used_elsewhere():
    space = parse_space(
        {
            "kind": {"type": "choice", "values": list("abcdefgh")},
            "depth": {"type": "int", "lower": 1, "upper": 8, "when": {"kind": ["a", "b"]}},
            "x": {"type": "float", "lower": 0.0, "upper": 1.0},
        }
    )
    searcher = searcher_of(space, iterations=8)

    def loss(one):
        return abs(one["x"] - 0.5) + (abs(one["depth"] - 6) / 8 if "depth" in one else 1.0)

    found = []
    for _ in range(60):
        configuration = searcher.suggest()
        found.append(configuration)
        searcher.update(configuration, 1, loss(configuration))
    late = [one for one in found[35:] if "depth" in one]
    assert len(late) >= 15, "a quarter of all is random search's share"
    assert np.mean([abs(one["depth"] - 6) for one in late]) < np.mean([abs(depth - 6) for depth in range(1, 9)])


@pytest.mark.parametrize(
    ("key", "value"), [("num_candidates", 0), ("iterations", 0), ("held_out", 0.6), ("held_out", 0.0), ("refit", -0.1)]
)
def test_arguments_out_of_range_are_errors(key, value):
    with pytest.raises(ConfigError, match=rf"method\.searcher\.{key}={value}: use "):
        build_scheduler(
            "ASHA-CQR", {"x": {"type": "float", "lower": 0, "upper": 1}}, max_resource=9, seed=0, **{key: value}
        )


def test_priors_are_refused_in_one_sentence():
    space = {"x": {"type": "float", "lower": 0.0, "upper": 1.0, "default": 0.2, "confidence": "high"}}
    with pytest.raises(ConfigError, match=r"CQRSearcher knows nothing of priors; remove config_space\.x\.confidence"):
        build_scheduler("CQR", space, max_resource=1, seed=0)


@pytest.mark.parametrize(
    ("cls", "name", "instead", "extra"),
    [(CQRSearcher, "scikit-learn", "BO or ASHA-TPE", "cqr"), (BoTorchSearcher, "botorch", "BO", "botorch")],
)
def test_without_the_library_one_sentence_says_what_to_install(monkeypatch, cls, name, instead, extra):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError) as caught:
        cls(SQUARE, Randomness(0, 0))
    assert str(caught.value) == (
        f"method.searcher._target_={cls.__module__}.{cls.__name__}: it needs {name}; use method={instead}, "
        f"or install it with: pip install -e '.[{extra}]' in the clone of this repository"
    )


def test_the_version_that_decided_is_kept_and_replay_says_when_another_is_installed(monkeypatch, tmp_path, capsys):
    given = {"experiment_tag": "t", "random_seed": 5, "max_num_trials": 9, "backend": {"name": "simulated"}}
    config = load_config("generated_typical", "ASHA-CQR", **given, **{"method.searcher.iterations": 3})
    run_experiment(config, tmp_path / "it")
    experiment, version = load_experiment(tmp_path / "it"), metadata.version("scikit-learn")
    (opened,) = [event for event in experiment.events if event.kind == Kind.OPENED]
    assert opened.body["libraries"] == experiment.metadata["libraries"] == {"scikit-learn": version}
    replay(str(tmp_path / "it"))
    assert capsys.readouterr().out.splitlines()[0].endswith("decisions, 0 different")
    monkeypatch.setattr(metadata, "version", lambda _: "0.1")
    replay(str(tmp_path / "it"))
    warning, result = capsys.readouterr().out.splitlines()
    assert warning == (
        f"{tmp_path / 'it'}: scikit-learn {version} decided, and 0.1 is installed: decisions may differ; "
        f"pip install scikit-learn=={version} restores the version that decided"
    )
    assert result.endswith("decisions, 0 different")
