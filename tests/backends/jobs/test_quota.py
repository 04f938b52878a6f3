"""The clock of an experiment stands still while no trial can run, and the number of attempts that make sense is learned."""

import time

from hpo.backends.jobs.quota import Quota


def test_without_a_refusal_and_a_queue_there_is_no_limit_and_time_passes():
    quota = Quota()
    quota.update(attempts=2, with_job=0, queued=0)
    assert (quota.capacity, quota.waiting) == (None, False)
    before = quota.clock()
    time.sleep(0.02)
    assert quota.clock() >= before + 0.02


def test_time_stands_still_while_all_attempts_are_queued_and_passes_when_one_has_begun():
    quota = Quota()
    quota.update(attempts=2, with_job=0, queued=2)
    before = quota.clock()
    time.sleep(0.02)
    assert (quota.clock(), quota.waiting, quota.capacity) == (before, True, None)
    quota.update(attempts=2, with_job=1, queued=1)
    time.sleep(0.02)
    assert before + 0.02 <= quota.clock() < before + 1


def test_after_a_refusal_no_more_attempts_make_sense_than_there_are():
    quota = Quota()
    quota.note_refusal(60.0)
    quota.update(attempts=3, with_job=2, queued=0)
    assert (quota.capacity, quota.waiting) == (3, True)
    quota.update(attempts=3, with_job=0, queued=0)
    assert (quota.capacity, quota.waiting) == (0, True)
