"""Which method, where nobody chooses: the best that was measured (docs/choosing-a-method.md)."""


def recommended_method(*, several: bool, resource: bool, checkpoints: bool = True) -> str:
    """A name in conf/method.

    Args:
        several: are there several objectives?
        resource: does the program report as it trains, so that trials can end early?
        checkpoints: does it go on from what it has saved? Else no trial is paused.
    """
    if several:
        return "MO-ASHA-GP" if resource and checkpoints else "MO-BO"
    if not resource:
        return "BO"
    return "ASHA-GP-TIME" if checkpoints else "BO-MEDIAN"
