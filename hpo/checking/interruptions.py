"""Checks by interruption: SIGTERM in the middle of a unit of resource and right after a report, pauses and promotions."""

import signal
from collections.abc import Sequence

from hpo.backends.single_attempts import RehearsedAttempt
from hpo.checking.diagnosis import Continuation, Diagnosis
from hpo.checking.findings import Findings
from hpo.checking.saves import SAVE
from hpo.checking.training import LONG_ENOUGH, Training

_LONGEST_DELAY = 10.0


def check_interrupted(training: Training, findings: Findings, promoting: Sequence[str]) -> None:
    """End a trial by SIGTERM twice, resume it each time, and compare it with the uninterrupted training.

    Args:
        training: Training after its uninterrupted run.
        findings: Findings that the results are added to.
        promoting: Names of the methods in question that pause and resume trials.
    """
    trial, unit = training.rehearsal.trial(), training.resource
    at, delay = (2 if training.until >= 3 else 1), min(training.epoch / 2, _LONGEST_DELAY)
    attempt, order = training.observe(trial, lambda reports: delay if len(reports) >= at else None)
    reached = training.last(attempt)
    if not training.saves:
        _say_no_checkpoints(findings, promoting)
        return
    if reached >= training.until or not attempt.told:
        _say_not_interrupted(attempt, training, findings)
        return
    found = training.diagnose(reached, resumed := training.go_on(trial, training.beyond(reached)))
    nothing_saved = found.continuation == Continuation.RESTARTED and SAVE not in order
    if nothing_saved or found.continuation == Continuation.BEHIND:
        saved = "and nothing had been saved" if nothing_saved else "its checkpoint holds less than it had reported"
        findings.fail(
            "SIGTERM", f"{found.text}, {saved}; save before every report, not only now and then or at the end"
        )
        findings.skip("resume", "what it had reported was lost")
        return
    assert attempt.exit is not None
    if attempt.exit.signal == signal.SIGKILL:
        grace = training.config.grace_period_seconds
        findings.warn(
            "SIGTERM", f"it had to be killed after grace_period_seconds={grace:g}; end on SIGTERM, or leave it alone"
        )
    else:
        findings.ok("SIGTERM", f"ends at once, in {unit} {reached + 1}; what it had reported is saved")
    if found.continuation == Continuation.CONTINUED and training.last(resumed) < training.until and resumed.told:
        found = training.diagnose(training.last(resumed), training.go_on(trial))
    _conclude("resume", found, training, findings)


def _say_not_interrupted(attempt: RehearsedAttempt, training: Training, findings: Findings) -> None:
    """Add findings about a training that ended despite SIGTERM: it was too short to be interrupted, or ignores the signal."""
    if attempt.due is not None and attempt.seconds - attempt.due > 3 * training.epoch + LONG_ENOUGH / 2:
        findings.warn("SIGTERM", "it trained on to its end after that signal; end on SIGTERM, or leave it alone")
        findings.skip("resume", "it could not be interrupted")
        return
    why = f"{training.until} {training.resource}s took {attempt.seconds:.2f} s, too little to interrupt; try --units"
    for check in ("SIGTERM", "resume"):
        findings.skip(check, why)


def _say_no_checkpoints(findings: Findings, promoting: Sequence[str]) -> None:
    """Add findings about a script that never writes into its checkpoint folder, not even on SIGTERM."""
    text = "it writes nothing into HPO_CHECKPOINT_DIR, so that a trial starts over"
    if promoting:
        findings.fail(
            "checkpoint",
            f"{text} whenever {' or '.join(promoting)} resumes it; save before every report, or choose a method that never "
            f"pauses trials, such as ASHA-STOP",
        )
    else:
        findings.warn("checkpoint", f"{text} after an interruption; save before every report")
    for check in ("SIGTERM", "resume"):
        findings.skip(check, "it has no checkpoints")


def check_promoted(training: Training, findings: Findings, promoting: Sequence[str]) -> None:
    """Let a trial end by itself at a low resource limit, then resume it with a higher limit, as a promotion does."""
    limit, unit = training.limit, training.resource
    if not training.saves or limit is None:
        findings.skip(
            "promotion", "it has no checkpoints" if limit is not None else "benchmark.max_resource_attr is not given"
        )
        return
    pause = 2 if training.until >= 3 else 1
    told = f"--{limit}={pause}"
    trial = training.rehearsal.trial()
    first, order = training.observe(trial, training.beyond(pause), pause)
    if training.last(first) != pause or first.failure:
        findings.fail(
            "promotion", f"{told}, but {first.failure or f'it came to {unit} {training.last(first)}'}; end there"
        )
        return
    if training.depends_on_limit(first):
        text = (
            f"with {told} {training.metric} is another up to {unit} {pause} than with --{limit}={training.until}; let "
            f"nothing in the training, such as a learning rate schedule, depend on {limit}"
        )
        (findings.fail if promoting else findings.warn)("promotion", text)
        return
    found = training.diagnose(pause, training.go_on(trial))
    if found.continuation == Continuation.BEHIND or (
        found.continuation == Continuation.RESTARTED and SAVE not in order
    ):
        findings.fail("promotion", f"{found.text}: it had not saved when it ended at {told}; save before every report")
    else:
        _conclude("promotion", found, training, findings)


def _conclude(check: str, found: Diagnosis, training: Training, findings: Findings) -> None:
    metric = training.metric
    if found.continuation == Continuation.RESTARTED:
        findings.fail(
            check, f"{found.text} although it had saved: it ignores its checkpoint; load it where there is one"
        )
    elif found.continuation == Continuation.UNREPORTED:
        findings.warn(check, found.text)
    elif found.continuation != Continuation.CONTINUED:
        findings.fail(check, found.text)
    elif not training.comparable:
        findings.warn(
            check,
            f"{found.text}; {metric} could not be compared, for already two uninterrupted trainings differ in it: seed "
            f"everything with HPO_TRIAL_SEED, or give --tolerance",
        )
    elif found.other_keys:
        findings.warn(
            check,
            f"{found.text} with the same {metric}, but other values of {', '.join(found.other_keys)} than without "
            f"an interruption; save what it depends on",
        )
    else:
        findings.ok(check, f"{found.text}; all values as without an interruption")
