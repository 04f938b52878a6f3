"""What noticing changed code and a lost event store adds to a trial's start, side by side and in turn.

For a script with so many sources beside it: a tuner's looks at the code, before the start and with the first report, and a
commit to a guarded store against one to a plain store. Prints medians in milliseconds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from hpo.backends.code_watch import CodeWatch
from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.types import Event, Kind
from hpo.store.event_store import Store
from hpo.store.guarded_store import GuardedStore
from hpo.tuner.journal import Journal
from hpo.tuner.trial_code import TrialCode
from hpo.tuner.trial_limits import Limits
from perf.scale import InstantBackend


def trial_code(watch: CodeWatch | None) -> TrialCode:
    """What a tuner asks before each start."""
    backend = InstantBackend()
    backend.code = watch
    state = ExperimentState(Objective("loss", "min", "epoch"))
    journal = Journal(events=[], state=state, elapsed=time.monotonic, wall=time.time)  # type: ignore[arg-type]
    return TrialCode(backend, state, Limits(refuse_code_changes=True), journal)


def start(code: TrialCode, trial: int) -> None:
    """All that concerns code before an attempt starts."""
    code.refusal()
    code.start(trial)


def confirm(code: TrialCode, trial: int) -> None:
    """All that concerns code with an attempt's first report."""
    code.confirm(trial, 0)


def in_turn(runs: int, *functions: Callable[[int], object]) -> list[list[float]]:
    """Milliseconds of each function, one after the other in each round."""
    found: list[list[float]] = [[] for _ in functions]
    for number in range(runs):
        for function, times in zip(functions, found, strict=True):
            begin = time.perf_counter()
            function(number)
            times.append(1e3 * (time.perf_counter() - begin))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--files", type=int, nargs="+", default=[1, 20, 100, 900])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        for count in arguments.files:
            folder = Path(place) / str(count)
            folder.mkdir()
            for number in range(count):
                (folder / f"file_{number}.py").write_text(f"X = {number}\n" * 100)
            time.sleep(0.2)  # until any change shows in a signature
            without, watched = trial_code(None), trial_code(CodeWatch(folder / "file_0.py"))
            functions = partial(start, without), partial(start, watched), partial(confirm, watched)
            before, now, report = map(statistics.median, in_turn(arguments.runs, *functions))
            print(f"{count:4} source(s): {now - before:+.4f} ms for a start, {report:+.4f} ms for its first report")
        plain, guarded = Store(Path(place) / "plain.db"), GuardedStore(Path(place) / "guarded.db")
        body = {"metrics": {"epoch": 1, "loss": 0.25}, "position": 100, "decision": "CONTINUE"}
        event = [Event(Kind.REPORTED, 1.0, 2.0, 0, 0, 1, body)]
        times = in_turn(arguments.runs, lambda _: plain.append(event), lambda _: guarded.append(event))
        before, now = map(statistics.median, times)
        print(f"one commit: {before:.3f} ms plain, {now:.3f} ms guarded, {now - before:+.4f} ms")


if __name__ == "__main__":
    main()
