"""Many simulated experiments at once: a process per core, forked from this one, so that nothing is imported or read again."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import FrameType

from hpo.backends.parent import end_with
from hpo.config import ExperimentConfig
from hpo.errors import HPOError
from hpo.experiment import run_experiment
from hpo.interrupts import asked_to_end
from hpo.progress import clock, say
from hpo.tables.find import find_table

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Experiment = tuple[ExperimentConfig, Path]


@dataclass(frozen=True)
class Result:
    """How one experiment of a batch ended."""

    directory: Path
    code: int
    error: str | None = None


@dataclass
class _Worker:
    process: ForkProcess
    at: int | None = None
    """Which experiment it runs; None is none."""


def run_batch(experiments: Sequence[Experiment], processes: int | None = None) -> Generator[Result, None, None]:
    """Run simulated experiments, each into its directory; results come as they are finished.

    However the batch ends early, an experiment has then run to its end or stored nothing: its log stays what it is for
    everyone. Ctrl-C, SIGTERM and SIGHUP wait for those that run, a second one does not.

    Args:
        experiments: (configuration, directory) of each.
        processes: how many at a time; None is one per core.
    """
    if (number := asked_to_end()) is not None:
        raise SystemExit(128 + number)
    for table in {config.benchmark.table for config, _ in experiments} - {None}:
        with contextlib.suppress(HPOError):  # each experiment says so for itself
            find_table(str(table))  # read before the fork, shared by all
    count = processes or len(os.sched_getaffinity(0))
    left = deque(range(len(experiments)))
    workers: dict[Connection, _Worker] = {}
    with _signals_raise():
        try:
            while left or workers:
                while left and len(workers) < count:
                    pipe = _fork_worker(workers, experiments)
                    _give(workers, pipe, left)
                for pipe in [pipe for pipe in wait(list(workers)) if isinstance(pipe, Connection)]:
                    try:
                        result = pipe.recv()
                    except (EOFError, ConnectionError):
                        result = _lost(workers.pop(pipe), experiments)
                    else:
                        _give(workers, pipe, left)
                    if result is not None:
                        yield result
        finally:
            _end(workers)


def _fork_worker(workers: dict[Connection, _Worker], experiments: Sequence[Experiment]) -> Connection:
    ours, theirs = multiprocessing.Pipe()
    arguments = (theirs, [*workers, ours], os.getpid(), experiments)
    process = multiprocessing.get_context("fork").Process(target=_work, args=arguments)
    # Held back until it is known here, to be waited for, and ignored there.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        process.start()
        workers[ours] = _Worker(process)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    return ours


def _give(workers: dict[Connection, _Worker], pipe: Connection, left: deque[int]) -> None:
    """Have a worker run the next experiment; where none is left it ends."""
    if not left:
        pipe.close()
        workers.pop(pipe).process.join()
        return
    workers[pipe].at = left.popleft()
    with contextlib.suppress(ConnectionError):  # it is dead: the next `wait` tells
        pipe.send(workers[pipe].at)


def _lost(worker: _Worker, experiments: Sequence[Experiment]) -> Result | None:
    """What becomes of the experiment of a worker that is gone."""
    worker.process.join()
    if worker.at is None:
        return None
    code = worker.process.exitcode or 0
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    if code == -signal.SIGKILL:
        how += ", as the kernel does when memory runs out,"
    error = f"its process {how} before it was complete; the same command goes on with what is missing"
    return Result(experiments[worker.at][1], 1, error)


def _end(workers: dict[Connection, _Worker]) -> None:
    """Wait for what runs; nothing new begins. When another signal comes meanwhile it is killed."""
    try:
        for pipe in workers:
            pipe.close()
        for worker in workers.values():
            worker.process.join()
    finally:
        for worker in workers.values():
            worker.process.kill()


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """SIGTERM and SIGHUP end the batch in order, as Ctrl-C does; where they are ignored or handled that stays."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    numbers = _ENDING[1:] if threading.current_thread() is threading.main_thread() else ()
    heeded = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    for number in heeded:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, signal.SIG_DFL)


def _work(pipe: Connection, others: Iterable[Connection], parent: int, experiments: Sequence[Experiment]) -> None:
    """A worker: run the experiments whose numbers come, until the pipe is closed."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)  # they may reach the whole group: the parent decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    end_with(parent)
    for other in others:
        other.close()  # the parent's ends: as long as one is open here, its worker would not be told the end
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            pipe.send(_run(*experiments[pipe.recv()]))


def _run(config: ExperimentConfig, directory: Path) -> Result:
    try:
        outcome = run_experiment(config, directory)
    except HPOError as error:
        return Result(directory, 1, str(error))
    except Exception:
        return Result(directory, 1, f"an error in hpo itself; please report it with this:\n{traceback.format_exc()}")
    return Result(directory, 0 if outcome.signal is None else 128 + outcome.signal)


def shown(results: Generator[Result, None, None], total: int) -> Generator[Result, None, None]:
    """Pass results on and show how far they are: a bar on a terminal, else a line every tenth."""
    begin = time.monotonic()
    advance, close = _bar(total) if sys.stdout.isatty() else (lambda: None, lambda: None)
    try:
        with contextlib.closing(results):
            for done, result in enumerate(results, 1):
                advance()
                if not sys.stdout.isatty() and (done * 10 // total > (done - 1) * 10 // total):
                    say(f"{done} of {total} simulated experiments, {clock(time.monotonic() - begin)}")
                yield result
    finally:
        close()


def _bar(total: int) -> tuple[Callable[[], None], Callable[[], None]]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("simulated experiments"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    progress = Progress(*columns, TimeRemainingColumn())
    task = progress.add_task("simulated experiments", total=total)
    progress.start()
    return lambda: progress.advance(task), progress.stop
