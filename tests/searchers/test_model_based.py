"""Model-based searchers under conditions that break models, and what keeps their proposals reproducible."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest

from hpo import Decision, Resume, Start, Trial, build_scheduler
from hpo.events.outcome import ReportOutcome
from hpo.events.types import Kind
from hpo.randomness import Randomness, canonical
from hpo.searchers import (
    BOHBSearcher,
    GaussianProcessSearcher,
    HyperTuneSearcher,
    ImprovementSearcher,
    IndependentSearcher,
    MOBSTERSearcher,
    TPESearcher,
)
from hpo.searchers.cqr import CQRSearcher
from hpo.space.search_space import parse_space
from hpo.surrogate.gp_fit import NumericalError
from hpo.tuner.stopping import Budget
from tests.support.fakes import SPACE, run_fake
from tests.support.marks import or_slow

PROCESSES = (GaussianProcessSearcher, ImprovementSearcher, MOBSTERSearcher, IndependentSearcher, HyperTuneSearcher)
MODELS = (*PROCESSES, TPESearcher, BOHBSearcher, CQRSearcher)
OPTIONS = {CQRSearcher: {"iterations": 10, "num_candidates": 500}}
"""With which one takes little time."""
LEVELS = (1, 3, 9, 27)


@pytest.fixture(params=MODELS, ids=lambda cls: cls.__name__)
def make(request):
    def maker(space=SPACE, seed=0, **options):
        given = {**OPTIONS.get(request.param, {}), **options}
        return request.param(parse_space(space), Randomness(0, seed), max_resource=27, **given)

    return maker


def told(searcher, losses, resources=(1,)):
    """The searcher after suggestions that got these losses, at each of the resources."""
    for loss in losses:
        configuration = searcher.suggest()
        for resource in resources:
            searcher.on_pending(configuration, resource)
            searcher.on_report(configuration, resource)
            searcher.update(configuration, resource, loss)
    return searcher


def proposes_well(searcher, count=3):
    """Its next proposals are made by the model, new, inside the space."""
    seen = set()
    for _ in range(count):
        configuration = searcher.suggest()
        assert all(value in searcher.space.domains[name] for name, value in configuration.items())
        seen.add(canonical(configuration))
        searcher.on_pending(configuration, 1)
    assert len(seen) == count
    assert searcher.pop_log_messages() == []


@pytest.mark.parametrize(
    "losses",
    [
        [0.5] * 12,
        [0.0] * 12,
        [math.inf] * 12,
        [1.0, math.inf] * 6,
        [1e308, -1e308, 1e-308, 0.0, 5.0, 1e300] * 2,
        [10.0**k for k in range(-6, 6)],
        [1.0, *[math.inf] * 11],
    ],
    ids=["constant", "zero", "all infinite", "half infinite", "huge", "decades", "one finite"],
)
def test_any_losses_are_modelled(make, losses):
    proposes_well(told(make(), losses, LEVELS[:2]))


def test_before_four_results_proposals_are_those_of_random_search(make):
    searcher = make()
    random = build_scheduler("RS", SPACE, max_resource=27, seed=0).searcher
    first = [searcher.suggest() for _ in range(9)]
    assert first == [random.suggest() for _ in range(9)]
    for configuration in first[:3]:
        searcher.update(configuration, 1, 1.0)
    assert searcher.suggest() == random.suggest()


def test_a_space_of_one_configuration_is_proposed_once(make):
    space = {"act": {"type": "choice", "values": ["relu"]}, "width": {"type": "int", "lower": 4, "upper": 4}}
    searcher = make(space)
    assert searcher.suggest() == {"act": "relu", "width": 4}
    searcher.update({"act": "relu", "width": 4}, 1, 0.5)
    assert searcher.suggest() is None


def test_a_hyperparameter_with_a_single_value_among_others_does_no_harm(make):
    proposes_well(told(make({**SPACE, "only": {"type": "choice", "values": [7]}}), np.arange(12.0)))


def test_a_finite_space_is_gone_through_to_its_last_configuration(make):
    space = {"a": {"type": "ordinal", "values": [1, 2, 3, 4]}, "b": {"type": "choice", "values": ["x", "y", "z"]}}
    searcher = make(space)
    seen = set()
    while (configuration := searcher.suggest()) is not None:
        seen.add(canonical(configuration))
        searcher.update(configuration, 27, float(len(seen) % 5))
    assert len(seen) == 12


def test_failed_trials_are_not_waited_for(make):
    searcher = make()
    rng = np.random.default_rng(0)
    for number in range(30):
        configuration = searcher.suggest()
        searcher.on_pending(configuration, 1)
        if number % 10 < 3:
            searcher.on_failed(configuration)
        else:
            searcher.update(configuration, 1, float(rng.random()))
    assert not searcher.history.pending
    proposes_well(searcher)


@pytest.mark.parametrize("make", PROCESSES, indirect=True)
def test_more_measurements_than_the_cap_keep_those_of_the_trials_that_got_furthest(make):
    searcher = make(max_size_data_for_model=40, random_fraction=1.0)
    rng = np.random.default_rng(1)
    for number in range(60):
        configuration = searcher.suggest()
        for resource in LEVELS[: 1 + (number % 6 == 0) * 3]:
            searcher.update(configuration, resource, float(rng.random()))
    model = getattr(searcher, "model", None) or searcher._model
    total = len(searcher.history)
    kept = model.chosen(total)
    assert len(kept) == 40
    resources = searcher.history.resources.first(total)
    assert set(np.flatnonzero(resources > 1)) <= set(kept)
    searcher.random_fraction = 0.0
    proposes_well(searcher)


def test_resources_without_a_measurement_in_the_model_are_left_out(make):
    searcher = make(max_size_data_for_model=10)
    for number in range(60):  # as of scripts that end where they like: few measurements of each of many resources
        configuration = searcher.suggest()
        resource = 1 + number * 7 % 26
        searcher.on_pending(configuration, resource)
        searcher.on_report(configuration, resource)
        searcher.update(configuration, resource, (number * 37 % 11) / 11)
    proposes_well(searcher)


def test_a_thousand_measurements_are_modelled(make):
    searcher = make(random_fraction=1.0)
    rng = np.random.default_rng(2)
    for _ in range(1000):
        configuration = searcher.suggest()
        searcher.update(configuration, 1, float(rng.random()))
    searcher.random_fraction = 0.0
    proposes_well(searcher, 2)


def test_a_numerical_failure_gives_a_random_proposal_and_a_note(make, monkeypatch):
    def broken(rng):
        raise NumericalError("it is broken on purpose")

    searcher = told(make(random_fraction=0.0), np.arange(12.0))
    random = searcher.draw_new("initial")
    monkeypatch.setattr(searcher, "_propose_by_model", broken)
    assert searcher.suggest() == random
    (note,) = searcher.pop_log_messages()
    assert "12 measurements" in note
    assert "broken on purpose" in note
    assert searcher.pop_log_messages() == []


def test_a_numerical_failure_is_an_event_of_the_log(monkeypatch):
    def broken(self, rng):
        raise NumericalError("it is broken on purpose")

    monkeypatch.setattr(GaussianProcessSearcher, "_propose_by_model", broken)
    _, _, events = run_fake("ASHA-GP", budget=Budget(max_num_trials=20))
    notes = [event.body["text"] for event in events if event.kind == Kind.NOTED]
    assert notes
    assert all("broken on purpose" in note for note in notes)


def drive(name, steps, seed=0, **options):
    """Suggestions and decisions of a scheduler on a smooth function, in a fixed order of events."""
    scheduler = build_scheduler(name, SPACE, max_resource=27, seed=seed, **options)
    trials, running, log = [], [], []
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        while len(running) < 3:
            suggestion = scheduler.suggest()
            log.append(suggestion)
            if isinstance(suggestion, Start):
                trials.append([Trial(len(trials), suggestion.configuration), 0, suggestion.until])
                scheduler.on_start(trials[-1][0])
                running.append(trials[-1])
            else:
                assert isinstance(suggestion, Resume)
                trials[suggestion.trial_id][2] = suggestion.until
                running.append(trials[suggestion.trial_id])
        entry = running.pop(int(rng.integers(len(running))))
        entry[1] += 1
        unit = sum(parse_space(SPACE).domains[n].encode(v) for n, v in entry[0].configuration.items() if n == "x")
        loss = (unit - 0.3) ** 2 + 1 / entry[1] + 0.05 * float(rng.random())
        decision = scheduler.on_report(entry[0], entry[1], loss)
        log.append(decision)
        if decision == Decision.CONTINUE:
            running.append(entry)
    return log


@pytest.mark.parametrize(
    "name",
    or_slow(["BO", "ASHA-GP", "MOBSTER", "MOBSTER-INDEP", "HYPERTUNE"], ["ASHA-GP", "MOBSTER"]),
)
@pytest.mark.process
def test_decisions_do_not_depend_on_the_number_of_threads(name):
    code = (
        "from tests.searchers.test_model_based import drive\nimport hashlib, sys\n"
        f"log = drive({name!r}, 150)\nsys.stdout.write(hashlib.sha256(repr(log).encode()).hexdigest())"
    )
    digests = set()
    for threads in ("1", "4"):
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        found = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        digests.add(found.stdout)
    assert len(digests) == 1


@pytest.mark.long
def test_the_model_finds_the_good_region_of_a_smooth_function():
    space = {"x": {"type": "float", "lower": 0.0, "upper": 1.0}, "y": {"type": "float", "lower": 0.0, "upper": 1.0}}
    for cls in MODELS:
        searcher = cls(parse_space(space), Randomness(0, 1), max_resource=1, **OPTIONS.get(cls, {}))
        random = build_scheduler("RS", space, max_resource=1, seed=1).searcher
        losses = {"model": [], "random": []}
        for _ in range(40):
            for kind, one in (("model", searcher), ("random", random)):
                c = one.suggest()
                loss = (c["x"] - 0.7) ** 2 + (c["y"] - 0.2) ** 2
                losses[kind].append(loss)
                one.update(c, 1, loss)
        assert np.median(losses["model"][20:]) < 0.5 * np.median(losses["random"][20:])


@pytest.mark.process
def test_a_model_needs_no_torch_and_no_scipy_before_its_first_proposal():
    code = (
        "from hpo import build_scheduler\nimport sys\n"
        "for method in ('MOBSTER', 'ASHA-CQR'):\n"
        "    build_scheduler(method, {'a': {'type': 'float', 'lower': 0, 'upper': 1}}, max_resource=9, seed=0).suggest()\n"
        "assert not {'torch', 'scipy', 'sklearn', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_proposals_keep_within_a_bound_that_a_fifth_of_the_space_meets(seed):
    space = parse_space({name: {"type": "float", "lower": 0.0, "upper": 1.0} for name in "xy"})
    searcher = GaussianProcessSearcher(space, Randomness(0, seed), max_resource=1, random_fraction=0.0)
    within = 0
    for number in range(40):
        configuration = searcher.suggest()
        excess = (configuration["x"] - 0.2) / 0.2  # the loss falls with x, and with the distance of y from .5
        within += number >= 20 and excess <= 0
        loss = -configuration["x"] + (configuration["y"] - 0.5) ** 2
        searcher.on_outcome(configuration, 1, ReportOutcome(loss, max(excess, 0.0), True, (excess,)))
    assert within >= 12  # by chance 4


def test_a_constraint_that_all_meet_changes_no_proposal():
    space = parse_space({name: {"type": "float", "lower": 0.0, "upper": 1.0} for name in "xy"})
    free, bound = (GaussianProcessSearcher(space, Randomness(0, 5), max_resource=1) for _ in range(2))
    for _ in range(20):
        configuration = free.suggest()
        assert bound.suggest() == configuration
        loss = (configuration["x"] - 0.3) ** 2 + configuration["y"]
        free.update(configuration, 1, loss)
        bound.on_outcome(configuration, 1, ReportOutcome(loss, 0.0, True, (-5.0 - configuration["y"],)))
