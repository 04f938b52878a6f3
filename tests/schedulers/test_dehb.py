"""DEHB against a literal loop, and its first bracket against synchronous Hyperband."""

import pytest

from hpo import Decision, Resume, Start, Trial, build_scheduler
from hpo.errors import ConfigError
from hpo.randomness import Randomness, canonical
from hpo.searchers import RandomSearcher
from hpo.space.search_space import parse_space
from hpo.surrogate.differential_evolution import DifferentialEvolution

SPACE = {name: {"type": "float", "lower": 0.0, "upper": 1.0} for name in "xy"}
STEPS, SIZES = [1, 3, 9], [9, 3, 1]


def loss_of(configuration, resource):
    return (configuration["x"] - 0.3) ** 2 + (configuration["y"] - 0.8) ** 2 + 0.3 * configuration["x"] / resource


def train(scheduler, count):
    """One worker; what was suggested."""
    trials, reached, found = [], {}, []
    for _ in range(count):
        suggestion = scheduler.suggest()
        if isinstance(suggestion, Start):
            trials.append(Trial(len(trials), suggestion.configuration))
            scheduler.on_start(trials[-1])
            reached[trials[-1].id] = 0
        trial = trials[suggestion.trial_id] if isinstance(suggestion, Resume) else trials[-1]
        for resource in range(reached[trial.id] + 1, suggestion.until + 1):
            decision = scheduler.on_report(trial, resource, loss_of(trial.configuration, resource))
            assert (decision == Decision.CONTINUE) == (resource < suggestion.until)
        reached[trial.id] = suggestion.until
        found.append(suggestion)
    return found


def test_the_first_bracket_is_that_of_synchronous_hyperband():
    ours, theirs = (build_scheduler(name, SPACE, max_resource=9, seed=0) for name in ("DEHB", "SYNC-HYPERBAND"))
    assert train(ours, 13) == train(theirs, 13)


def literal(brackets):
    """Bracket after bracket, rung after rung: configuration and resource of what is trained."""
    space = parse_space(SPACE)
    searcher, evolution = RandomSearcher(space, Randomness(0, 0)), DifferentialEvolution(space, 0.5, 0.5)
    trained, population = [], [[], [], []]

    def told(rung, configuration):
        trained.append((canonical(configuration), STEPS[rung]))
        return loss_of(configuration, STEPS[rung]), configuration

    ranked = [searcher.suggest() for _ in range(SIZES[0])]
    for rung, size in enumerate(SIZES):
        population[rung] = [told(rung, configuration) for configuration in ranked[:size]]
        ranked = [one for _, one in sorted(population[rung], key=lambda member: member[0])]
    for number in range(1, brackets):
        for rung in range(number % 3, 3):
            for place in range(SIZES[rung]):
                source = (
                    population[rung]
                    if rung == number % 3
                    else sorted(population[rung - 1], key=lambda m: m[0])[: SIZES[rung]]
                )
                parents = [one for _, one in source]
                for pool in (population[rung], *reversed(population)):
                    if len(parents) < 3:
                        parents += [one for _, one in pool if one not in parents]
                rng = Randomness(0, 0).stream("dehb", searcher.suggested)
                child = evolution.child(rng, parents, population[rung][place][1], searcher.is_known)
                searcher.accept(child)
                member = told(rung, child)
                if member[0] < population[rung][place][0]:
                    population[rung][place] = member
    return trained


def test_later_brackets_are_the_loop_of_the_paper():
    trials, found = [], []
    for suggestion in train(build_scheduler("DEHB", SPACE, max_resource=9, seed=0), 13 + 4 + 1 + 13 + 4 + 1 + 13):
        if isinstance(suggestion, Start):
            trials.append(suggestion.configuration)
        one = trials[suggestion.trial_id] if isinstance(suggestion, Resume) else suggestion.configuration
        found.append((canonical(one), suggestion.until))
    assert found == literal(7)


def test_free_workers_begin_the_next_bracket_while_a_rung_waits():
    scheduler = build_scheduler("DEHB", SPACE, max_resource=9, seed=0)
    begun = []
    for number in range(16):
        begun.append(Trial(number, scheduler.suggest().configuration))
        scheduler.on_start(begun[-1])
    assert len({canonical(one.configuration) for one in begun}) == 16, "random, as long as there is no result"
    for trial in begun[:8]:
        scheduler.on_report(trial, 1, loss_of(trial.configuration, 1))
    assert isinstance(scheduler.propose(), Start)
    scheduler.on_error(begun[8])
    resumed = scheduler.propose()
    assert isinstance(resumed, Resume), "the one that failed holds nobody up"
    assert resumed.until == 3


def test_points_to_evaluate_are_all_trained_before_any_child():
    points = [{"x": i / 40, "y": 0.5} for i in range(20)]
    scheduler = build_scheduler("DEHB", SPACE, max_resource=9, seed=0, points_to_evaluate=points)
    starts = [one.configuration for one in train(scheduler, 30) if isinstance(one, Start)]
    assert starts[:20] == points


@pytest.mark.parametrize(
    ("space", "options", "said"),
    [
        (SPACE, {"factor": 0}, r"method\.scheduler\.factor=0: use"),
        (SPACE, {"crossover": 1.5}, r"method\.scheduler\.crossover=1\.5: use"),
        (
            {"c": {"type": "choice", "values": [1, 2]}, "n": {"type": "int", "lower": 1, "upper": 9, "when": {"c": 1}}},
            {},
            r"DEHB needs all hyperparameters in every configuration; remove config_space\.n\.when, or use",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(space, options, said):
    with pytest.raises(ConfigError, match=said):
        build_scheduler("DEHB", space, max_resource=9, seed=0, **options)
