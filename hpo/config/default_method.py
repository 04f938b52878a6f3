"""Selection of the default method: the one that measured best (docs/choosing-a-method.md)."""

DEFAULT_METHODS = ("RS", "BO", "ASHA", "MOBSTER")
"""Methods that run if a single-objective command does not choose `method`."""
METHODS_OF_SEVERAL = ("RS", "MO-ASHA", "MO-ASHA-GP")
"""Methods that run if a multi-objective command does not choose `method`."""


def default_methods(*, several: bool) -> tuple[str, ...]:
    """Return the methods that run if a command does not choose `method`."""
    return METHODS_OF_SEVERAL if several else DEFAULT_METHODS


def recommended_method(*, several: bool, resource: bool, checkpoints: bool = True) -> str:
    """Return the name of the recommended method, a file in conf/method.

    Args:
        several: Whether the benchmark is multi-objective.
        resource: Whether the program reports while it trains, so that trials can be stopped early.
        checkpoints: Whether the program resumes from its checkpoints; without them no trial is paused.
    """
    if several:
        return "MO-ASHA-GP" if resource and checkpoints else "MO-BO"
    if not resource:
        return "BO"
    return "ASHA-GP-TIME" if checkpoints else "BO-MEDIAN"
