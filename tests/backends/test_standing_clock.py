"""A clock that stands still while there is no place."""

from hpo.backends.standing_clock import StandingClock


def test_only_the_time_in_which_it_goes_counts():
    now = [100.0]
    clock = StandingClock(lambda: now[0])
    seen = [clock()]
    for seconds, goes in ((5, True), (2, True), (3, False), (50, False), (7, True), (1, True)):
        now[0] += seconds
        clock.go(goes)
        seen.append(clock())
    begin = seen[0]
    assert [at - begin for at in seen] == [0, 0, 2, 5, 5, 5, 6]
