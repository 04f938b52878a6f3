"""The keys that limit an experiment."""

import pytest

from hpo.config.budgets import BUDGET_KEYS, budget_keys, has_limit, longest_seconds, time_limits


def budget(**keys):
    return {**dict.fromkeys(BUDGET_KEYS), **keys}


def test_max_cost_is_a_budget_only_if_a_cost_is_named():
    assert set(BUDGET_KEYS) - set(budget_keys(None)) == {"max_cost"}
    assert budget_keys("dollars") == list(BUDGET_KEYS)


def test_the_price_of_a_device_alone_ends_nothing():
    assert not has_limit({"device_price": 2.0, "max_price": None})
    assert has_limit({"device_price": 2.0, "max_price": 9.0})


@pytest.mark.parametrize(
    ("keys", "seconds"),
    [
        ({}, None),
        ({"device_price": 2.0}, None),
        ({"max_wallclock_time": 60.0}, 60.0),
        ({"max_device_hours": 12.0}, 7200.0),  # six devices at a time: two hours
        ({"max_price": 24.0, "device_price": 2.0}, 7200.0),
        ({"max_price": 24.0, "device_price": 2.0, "max_device_hours": 6.0, "max_wallclock_time": 4000.0}, 3600.0),
    ],
)
def test_the_longest_time_is_that_of_the_shortest_limit_with_all_workers_at_work(keys, seconds):
    assert longest_seconds(budget(**keys), devices=6) == seconds
    assert len(time_limits(budget(**keys), devices=6)) == sum(key.startswith("max_") for key in keys)
