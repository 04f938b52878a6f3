"""The keys that limit an experiment, and the limit in seconds that they make together."""

from collections.abc import Mapping
from typing import Any

BUDGET_KEYS = (
    "max_wallclock_time",
    "max_num_trials",
    "max_num_evaluations",
    "max_cost",
    "max_device_hours",
    "max_price",
    "device_price",
    "target_value",
)
"""Keys that limit an experiment, and the price that `max_price` needs; a finished experiment resumes with a larger budget."""

LIMIT_KEYS = tuple(key for key in BUDGET_KEYS if key != "device_price")
"""Budget keys that can end an experiment."""


def budget_keys(cost_attr: str | None) -> list[str]:
    """Return the budget keys that an experiment can use: `max_cost` only if `cost_attr` names a metric."""
    return [key for key in BUDGET_KEYS if key != "max_cost" or cost_attr is not None]


def has_limit(budget: Mapping[str, Any]) -> bool:
    """Whether a budget ends the experiment: a price of devices alone does not."""
    return any(budget.get(key) is not None for key in LIMIT_KEYS)


def time_limits(budget: Mapping[str, Any], *, devices: int) -> dict[str, float]:
    """Return, by budget key, the seconds after which time, device hours or money are used up.

    Args:
        budget: Limits by budget key; None is no limit.
        devices: Number of devices that are held all the time.
    """
    limits: dict[str, float] = {}
    if (seconds := budget["max_wallclock_time"]) is not None:
        limits["max_wallclock_time"] = seconds
    if (hours := budget["max_device_hours"]) is not None:
        limits["max_device_hours"] = 3600 * hours / devices
    if (price := budget["max_price"]) is not None and budget["device_price"] is not None:
        limits["max_price"] = 3600 * price / (budget["device_price"] * devices)
    return limits


def longest_seconds(budget: Mapping[str, Any], *, devices: int) -> float | None:
    """Return the shortest of these limits in seconds: the longest that an experiment can take; None without a limit."""
    return min(time_limits(budget, devices=devices).values(), default=None)
