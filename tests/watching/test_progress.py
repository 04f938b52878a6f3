"""What a person sees: improvements, failures, and a closing summary."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from hpo.config.reading import load_config, resolve
from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.text import best_text, clock, configuration_text, counts_text
from hpo.events.types import Decision, Event, Kind, Status
from hpo.history.live_board import Board
from hpo.store.event_store import Store
from hpo.watching.plain_lines import PlainLines
from hpo.watching.progress import LiveTable, live_frame, progress_display, summary

BENCHMARK = {
    "name": "mine",
    "script": "train.py",
    "metric": "accuracy",
    "mode": "max",
    "resource_attr": "epoch",
    "config_space": {"lr": {"type": "float", "lower": 0.1, "upper": 1.0}},
    "n_workers": 2,
}
CONFIG = resolve(load_config(BENCHMARK, "ASHA", seed=4, random_seed=77))


def start(trial, elapsed=0.0):
    return Event(
        Kind.STARTED, elapsed, 0.0, trial, 0, body={"configuration": {"lr": 0.123456, "act": "relu"}, "until": 9}
    )


def report(trial, epoch, accuracy, elapsed):
    body = {"metrics": {"accuracy": accuracy, "epoch": epoch}, "decision": Decision.CONTINUE.value, "position": epoch}
    return Event(Kind.REPORTED, elapsed, 0.0, trial, 0, epoch, body)


def end(trial, status, elapsed, error=None):
    return Event(Kind.ENDED, elapsed, 0.0, trial, 0, body={"status": status.value, "usage": {}, "error": error})


EVENTS = [
    start(0), start(1), report(0, 1, 0.5, 1.0), report(1, 1, 0.4, 1.5), report(0, 2, 0.75, 2.0),
    end(0, Status.COMPLETED, 4.0), end(1, Status.FAILED, 4.0, "exit code 1\nTraceback\nValueError: bad"),
]  # fmt: skip


def state_after(events):
    return ExperimentState(Objective("accuracy", "max", "epoch")).apply_all(events)


def show(display, events):
    state = state_after([])
    display.on_open(state)
    for event in events:
        state.apply(event)
        display.on_event(event)
        display.on_idle()
    display.on_close()
    return state


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (1.26, "1.3 s"), (59.9, "59.9 s"), (60, "0:01:00"), (3599.9, "0:59:59"), (36_061, "10:01:01")],
)
def test_a_clock_has_decimals_below_a_minute_only(seconds, text):
    assert clock(seconds) == text


def test_the_clock_never_shows_sixty_seconds():
    assert "60" not in clock(59.97)


def test_a_configuration_reads_as_key_value():
    assert configuration_text({"lr": 0.123456, "n": 3, "act": "relu"}) == "lr=0.1235 n=3 act=relu"
    assert configuration_text({"nesterov": True, "warmup": False}) == "nesterov=true warmup=false", "as in YAML"


def test_the_best_names_value_trial_resource_and_configuration():
    text = best_text(state_after(EVENTS))
    for part in ("accuracy=0.75", "trial 0", "epoch 2", "lr=0.1235", "act=relu"):
        assert part in text
    assert best_text(state_after([])) == "none yet"


def test_counts_name_trials_by_state_and_reports():
    assert counts_text(state_after(EVENTS)) == "2 trials (1 completed, 1 failed), 3 reports"


def test_plain_lines_show_each_improvement_and_each_failure(capsys):
    show(PlainLines(CONFIG), EVENTS)
    lines = capsys.readouterr().out.splitlines()
    assert "mine ASHA seed 4" in lines[0]
    improvements = [line for line in lines if "best" in line]
    assert len(improvements) == 2
    assert "accuracy=0.5 " in improvements[0]
    assert "accuracy=0.75 " in improvements[1]
    (failure,) = [line for line in lines if "failed" in line]
    assert "trial 1" in failure
    assert "ValueError: bad" in failure
    assert "Traceback" not in failure


def test_plain_lines_say_that_an_experiment_resumes(capsys):
    PlainLines(CONFIG).on_open(state_after(EVENTS))
    (line,) = capsys.readouterr().out.splitlines()
    assert "resumes" in line
    assert "4.0 s" in line
    assert "2 trials" in line


def test_without_a_terminal_plain_lines_are_shown(capsys):
    assert isinstance(progress_display(CONFIG), PlainLines)


def frame(events, width=200, height=60):
    """The view that a run shows after these events, as text."""
    out = io.StringIO()
    board = Board(CONFIG).apply_all(events)
    Console(file=out, width=width).print(live_frame(board, width, height))
    return out.getvalue()


def test_the_live_view_shows_running_trials_and_the_best():
    text = frame(EVENTS[:5])
    for part in ("mine", "ASHA", "seed 4", "running", "accuracy", "epoch", "2/9", "0.75", "0.4", "lr=0.1235"):
        assert part in text, part


def test_the_live_view_comes_and_goes_without_an_error(capsys):
    show(LiveTable(CONFIG), EVENTS)


def test_the_live_view_knows_of_a_resumed_experiment_what_was_before(tmp_path, capsys):
    store = Store(tmp_path / "events.db")
    store.append(EVENTS)
    store.close()
    display = LiveTable(CONFIG, tmp_path)
    state = state_after(EVENTS)
    display.on_open(state)
    display.on_close()
    assert display._board.state == state
    assert display._board.state.counts() == state.counts()
    assert [failure.trial_id for failure in display._board.failures] == [1]


def test_a_configuration_with_brackets_is_shown_as_it_is():
    event = start(0)
    event.body["configuration"]["act"] = "[red]x[/red]"
    assert "[red]x[/red]" in frame([event])


def test_a_live_view_of_a_thousand_trials_has_few_rows():
    text = frame([start(i) for i in range(1000)] + [end(i, Status.COMPLETED, 1.0) for i in range(999)], width=120)
    assert len(text.splitlines()) < 40
    assert "999" in text


def test_the_summary_says_why_what_how_many_and_where():
    text = summary(CONFIG, state_after(EVENTS), Path("outputs/t/mine/ASHA/seed_4"), "max_num_trials=2 trials are done")
    for part in (
        "mine", "ASHA", "seed 4", "complete", "max_num_trials=2", "accuracy=0.75", "1 completed, 1 failed", "3 reports",
        "4.0 s", "2 worker", "100%", "random_seed=77", "outputs/t/mine/ASHA/seed_4",
    ):  # fmt: skip
        assert part in text, part


def test_the_summary_knows_that_an_earlier_session_had_other_workers():
    """Two workers are busy for 4 s, then the one of a second session for 2 s: that is all of the time there was."""
    story = [Event(Kind.OPENED, 0.0, 0.0, body={"n_workers": 2}), start(0, 0.0), start(1, 0.0)]
    story += [end(0, Status.COMPLETED, 4.0), end(1, Status.COMPLETED, 4.0)]
    story += [Event(Kind.OPENED, 4.0, 0.0, body={"n_workers": 1}), start(2, 4.0), end(2, Status.COMPLETED, 6.0)]
    text = summary(replace(CONFIG, n_workers=1), state_after(story), Path("d"), "done")
    assert "6.0 s, 1 worker(s) busy 100% of it" in text


def test_the_summary_of_an_interrupted_experiment_says_how_to_go_on():
    assert "the same command resumes it" in summary(CONFIG, state_after(EVENTS), Path("d"), None)


def test_the_summary_of_a_skipped_experiment_says_so():
    state = state_after([*EVENTS, Event(Kind.FINISHED, 4.0, 0.0, body={"reason": "done"})])
    assert "had finished already (done)" in summary(CONFIG, state, Path("d"), "done", skipped=True)


def test_the_summary_of_an_experiment_without_a_trial_is_no_error():
    assert "none yet" in summary(CONFIG, state_after([]), Path("d"), None)
