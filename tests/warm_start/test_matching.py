"""Which earlier results fit: a hand-made source for every rule."""

from dataclasses import replace

import pytest

from hpo.errors import ConfigError
from hpo.warm_start.matching import match_results, to_model_data
from hpo.warm_start.results import EarlierResult
from tests.warm_start.making import LAYERS, LR, earlier, new

ROW = ({"lr": 0.01, "layers": 2}, 9, 0.5)


def fits(experiment, config):
    """Configurations that fit, and what is said."""
    (source,) = match_results([experiment], config)
    return [fit.configuration for fit in source.fits], source.said


def test_an_equal_space_takes_every_result():
    configurations, said = fits(earlier(ROW, ({"lr": 0.1, "layers": 4}, 1, 0.7)), new())
    assert configurations == [{"lr": 0.01, "layers": 2}, {"lr": 0.1, "layers": 4}]
    assert said == "warm_start=first: 2 of 2 results fit"


@pytest.mark.parametrize("keys", [{"metric": "accuracy"}, {"mode": "max"}])
def test_another_metric_or_direction_is_refused_and_both_are_named(keys):
    with pytest.raises(ConfigError, match=r"warm_start=first: .*loss, .*min; name experiments that measured the same"):
        match_results([earlier(ROW, **keys)], new())


def test_values_outside_a_range_and_off_a_grid_are_dropped_and_counted():
    rows = [
        ROW,
        ({"lr": 0.5, "layers": 2}, 9, 0.1),
        ({"lr": 0.2, "layers": 2}, 3, 0.1),
        ({"lr": 0.01, "layers": 3}, 9, 0.1),
    ]
    source = earlier(*rows, config_space={"lr": {**LR, "upper": 1.0}, "layers": LAYERS})
    configurations, said = fits(source, new({"lr": LR, "layers": {**LAYERS, "upper": 5, "step": 1, "lower": 1}}))
    assert len(configurations) == 2
    assert said == "warm_start=first: 2 of 4 results fit; 2 have lr outside 0.0001 to 0.1"
    _, said = fits(
        source, new({"lr": {**LR, "upper": 1.0}, "layers": {"type": "int", "lower": 2, "upper": 8, "step": 2}})
    )
    assert said == "warm_start=first: 3 of 4 results fit; 1 have layers outside 2 to 8 in steps of 2"


def test_a_name_of_another_type_makes_every_result_useless():
    other = earlier(ROW, config_space={"lr": LR, "layers": {"type": "choice", "values": [1, 2]}})
    with pytest.raises(
        ConfigError, match=r"nothing in common .*1 have layers as a list of values, which is a whole number here"
    ):
        match_results([other], new())


def test_a_new_name_takes_the_constant_it_was_held_at_else_its_default_for_points_and_nothing_for_data():
    space = {"lr": LR, "layers": LAYERS, "width": {"type": "int", "lower": 8, "upper": 16}}
    held = earlier(ROW, constants={"epochs": 9, "width": 10})
    for use in ("points", "data"):
        assert fits(held, new(space, use))[0] == [{"lr": 0.01, "layers": 2, "width": 10}]
    configurations, said = fits(earlier(ROW), new(space))
    assert configurations == [{"lr": 0.01, "layers": 2, "width": 12}]
    assert said.endswith("; width is new and takes its default")
    with pytest.raises(ConfigError, match="0 of 1 results fit; 1 lack width"):
        match_results([earlier(ROW)], new(space, "data"))


def test_a_name_that_is_no_longer_tuned_is_left_out_and_the_result_less_certain_unless_its_value_is_the_constant():
    space = {"lr": LR}
    (source,) = match_results(
        [earlier(ROW, ({"lr": 0.1, "layers": 3}, 9, 0.4))], new(space, "data", arguments={"epochs": 9, "layers": 3})
    )
    assert [(fit.configuration, fit.certain) for fit in source.fits] == [({"lr": 0.01}, False), ({"lr": 0.1}, True)]
    assert source.said.endswith("; layers is not tuned here")


@pytest.mark.parametrize("keys", [{"resource_attr": "step"}, {"max_resource": 27}])
def test_data_of_another_resource_are_useless_and_points_of_it_are_not(keys):
    assert fits(earlier(ROW, **keys), new())[0] == [ROW[0]]
    with pytest.raises(ConfigError, match=r"1 are of trainings up to (step=9|epoch=27), not epoch=9"):
        match_results([earlier(ROW, **keys)], new(use="data"))


def test_conditions_of_the_new_space_decide_what_a_configuration_has():
    """Inactive is absent: what is not used here is left out, and what was not used there takes its default."""
    act = {"type": "choice", "values": ["relu", "elu"]}
    alpha = {"type": "float", "lower": 0.0, "upper": 1.0}
    space = {"act": act, "alpha": {**alpha, "when": {"act": "elu"}}}
    flat = earlier(
        ({"act": "relu", "alpha": 0.3}, 9, 1.0),
        ({"act": "elu", "alpha": 0.3}, 9, 2.0),
        config_space={"act": act, "alpha": alpha},
    )
    (source,) = match_results([flat], new(space))
    assert [(fit.configuration, fit.certain) for fit in source.fits] == [
        ({"act": "relu"}, False),
        ({"act": "elu", "alpha": 0.3}, True),
    ]
    gated = earlier(({"act": "relu"}, 9, 1.0), ({"act": "elu", "alpha": 0.3}, 9, 2.0), config_space=space)
    assert fits(gated, new({"act": act, "alpha": alpha}))[0][0] == {"act": "relu", "alpha": 0.5}
    assert fits(gated, new(space))[0] == [{"act": "relu"}, {"act": "elu", "alpha": 0.3}]


def test_one_source_may_have_nothing_in_common_where_another_has():
    empty = earlier(
        ({"lr": 0.9, "layers": 2}, 9, 0.1), source="wide", config_space={"lr": {**LR, "upper": 1.0}, "layers": LAYERS}
    )
    assert [len(source.fits) for source in match_results([empty, earlier(ROW)], new())] == [0, 1]
    with pytest.raises(
        ConfigError, match=r"warm_start: nothing in common .*name other experiments, or leave warm_start out"
    ):
        match_results([empty], new())


def test_of_each_trial_the_results_where_trials_are_compared_and_the_last():
    at = [(0, 1), (0, 2), (0, 3), (0, 4), (1, 1), (1, 2), (2, 9)]
    results = [
        EarlierResult(trial, {"lr": 0.01, "layers": trial + 1}, epoch, {"loss": trial + 1 / epoch})
        for trial, epoch in at
    ]
    config = new(use="data")
    (source,) = match_results([replace(earlier(), results=results)], config)
    data = to_model_data(source, {1, 3, 9})
    assert list(zip(data.trials, data.resources, strict=True)) == [(0, 1), (0, 3), (0, 4), (1, 1), (1, 2), (2, 9)]
    assert [one["layers"] for one in data.configurations] == [1, 2, 3]
    assert data.losses == [1, 1 / 3, 1 / 4, 2, 1.5, 2 + 1 / 9]
