"""The event store under any order of writing, crashing, cutting and reading: what was acknowledged is there, once."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.types import Event, Kind
from hpo.store.event_store import Store
from hpo.store.store_repair import open_store
from tests.reliability.harness import RUNS

OBJECTIVE = Objective("loss", "min", "epoch")


class StoreStates(RuleBasedStateMachine):
    """Every copy of the files at a moment is what a power cut at that moment leaves."""

    place = None
    """Where files are; the system's folder for temporary ones by default."""

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="store-states-", dir=self.place))
        self.lives = 0
        self.acknowledged: list[Event] = []
        self.live = ExperimentState(OBJECTIVE)
        self.trials: dict[int, int] = {}

    @staticmethod
    def opened(path):
        """The store to write to; another one is put here to show that its faults are found."""
        return open_store(path)

    def opened_reader(self):
        """Who reads beside the writer."""
        return Store(self.path, read_only=True)

    @initialize()
    def begin(self):
        self.folder = self.root / "0"
        self.folder.mkdir()
        self.store = self.opened(self.path)
        self.reader = self.opened_reader()

    @property
    def path(self):
        return self.folder / "events.db"

    def emit(self, events):
        self.store.append(events)
        self.acknowledged += events
        for event in events:
            self.live.apply(event)

    def now(self):
        return float(len(self.acknowledged))

    @rule(x=st.floats(0, 1))
    def start_a_trial(self, x):
        trial = len(self.trials)
        self.trials[trial] = 0
        self.emit([Event(Kind.STARTED, self.now(), 1e9, trial, 0, None, {"configuration": {"x": x}, "until": 9})])

    @precondition(lambda self: self.live.running)
    @rule(data=st.data(), loss=st.floats(), more=st.integers(0, 3), text=st.text(max_size=9000))
    def report(self, data, loss, more, text):
        trial = data.draw(st.sampled_from(sorted(self.live.running)))
        events = []
        for _ in range(more + 1):
            self.trials[trial] += 1
            body = {"metrics": {"loss": loss, "text": text}, "decision": "CONTINUE", "position": self.trials[trial]}
            events.append(Event(Kind.REPORTED, self.now(), 1e9, trial, 0, self.trials[trial], body))
        self.emit(events)

    @precondition(lambda self: self.live.running)
    @rule(data=st.data(), status=st.sampled_from(["completed", "failed", "stopped"]))
    def end_a_trial(self, data, status):
        trial = data.draw(st.sampled_from(sorted(self.live.running)))
        body = {"status": status, "exit_code": 0, "signal": None, "usage": {}}
        self.emit([Event(Kind.ENDED, self.now(), 1e9, trial, 0, None, body)])

    def _crash(self):
        """The files as they are now, in a folder of their own; the process that wrote them goes no further."""
        self.lives += 1
        after = self.root / str(self.lives)
        shutil.copytree(self.folder, after)
        self._close()
        shutil.rmtree(self.folder)
        self.folder = after

    def _close(self):
        self.reader.close()
        self.store.close()

    def _open(self):
        self.store = self.opened(self.path)
        self.reader = self.opened_reader()

    @rule()
    def crash_and_go_on(self):
        self._crash()
        self._open()

    @rule()
    def close_and_open_again(self):
        self._close()
        self._open()

    @rule()
    def open_another_reader(self):
        self.reader.close()
        self.reader = self.opened_reader()

    @rule(share=st.floats(0, 1))
    def crash_and_lose_the_end_of_the_log(self, share):
        """The machine lies about what is on its disk: a prefix remains, and is all there is from now on."""
        self._crash()
        log = self.path.with_name("events.db-wal")
        if log.exists():
            with log.open("r+b") as file:
                file.truncate(int(log.stat().st_size * share))
        self._open()
        found = list(self.store.read())
        assert repr(found) == repr(self.acknowledged[: len(found)])
        self.acknowledged = found
        self.live = ExperimentState(OBJECTIVE).apply_all(found)
        self.trials = {trial: state.resource for trial, state in self.live.trials.items()}

    @rule(garbage=st.binary(min_size=1, max_size=3000))
    def crash_in_the_middle_of_a_write(self, garbage):
        """Behind the last commit lies half of what was never acknowledged."""
        self._crash()
        log = self.path.with_name("events.db-wal")
        if log.exists():
            with log.open("ab") as file:
                file.write(garbage)
        self._open()

    @invariant()
    def every_acknowledged_event_is_readable_and_the_replayed_state_is_the_live_one(self):
        if self.lives == 0 and not hasattr(self, "store"):
            return
        wanted = repr(self.acknowledged)  # as text, for NaN is not equal to itself
        assert repr(list(self.reader.read())) == wanted
        assert repr(list(self.store.read())) == wanted
        assert repr(ExperimentState(OBJECTIVE).apply_all(self.store.read())) == repr(self.live)

    def teardown(self):
        if hasattr(self, "store"):
            self._close()
        shutil.rmtree(self.root)


TestStoreStates = StoreStates.TestCase
TestStoreStates.settings = settings(
    max_examples=40 if RUNS else 12, stateful_step_count=50 if RUNS else 25, deadline=None
)


# ---------------------------------------------------------------------------------------------- stores that are broken


class AcknowledgesTooEarly(Store):
    """Commits events when the next ones come. Nobody who asks this store sees it; a crash does."""

    def __init__(self, path):
        super().__init__(path)
        self.late = []

    def append(self, events):
        self.commit()
        self.late = events

    def commit(self):
        late, self.late = self.late, []
        super().append(late)

    def read(self, after=0):
        return iter([*super().read(after), *self.late])

    def close(self):
        self.commit()
        super().close()


def opened_without_the_last(path):
    """Mends what is whole, and loses the last good event by it."""
    store = open_store(path)
    events = list(store.read())
    if events:
        store.close()
        path.unlink()
        store = open_store(path)
        store.append(events[:-1])
    return store


def opened_with_the_last_again(path):
    """Takes the newest event for one that was not written."""
    store = open_store(path)
    last = store.last()
    if last is not None:
        store.append([last])
    return store


def opened_without_the_log(path):
    """Takes the log beside the database for a left-over."""
    path.with_name("events.db-wal").unlink(missing_ok=True)
    return open_store(path)


class _View:
    """A reader that sees what the writer sees."""

    def __init__(self, store):
        self.read = store.read

    def close(self):
        pass


@pytest.mark.parametrize(
    "broken",
    [
        AcknowledgesTooEarly,
        opened_without_the_last,
        opened_with_the_last_again,
        opened_without_the_log,
    ],
    ids=lambda broken: broken.__name__,
)
def test_the_machine_finds_a_counterexample_in_a_broken_store(broken):
    class Broken(StoreStates):
        opened = staticmethod(broken)
        place = "/dev/shm" if Path("/dev/shm").is_dir() else None

        def opened_reader(self):
            return _View(self.store)

    once = settings(max_examples=300, stateful_step_count=25, deadline=None, derandomize=True, database=None)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Broken, settings=settings(once, phases=[Phase.generate]))
