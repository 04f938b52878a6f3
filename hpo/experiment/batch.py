"""Many simulated experiments at once: a process per core, forked from this one, so that nothing is imported or read again."""

import contextlib
import multiprocessing
import os
import signal
import traceback
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path

from hpo.config.schema import ExperimentConfig
from hpo.errors import HPOError
from hpo.experiment.run import conduct
from hpo.experiment.signals import ENDING, asked_to_end, signals_raise
from hpo.host.parent_death import end_with
from hpo.tables.lookup import find_table

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
    with signals_raise():
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
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
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


def _work(pipe: Connection, others: Iterable[Connection], parent: int, experiments: Sequence[Experiment]) -> None:
    """A worker: run the experiments whose numbers come, until the pipe is closed."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)  # they may reach the whole group: the parent decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    end_with(parent)
    for other in others:
        other.close()  # the parent's ends: as long as one is open here, its worker would not be told the end
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            pipe.send(_run(*experiments[pipe.recv()]))


def _run(config: ExperimentConfig, directory: Path) -> Result:
    try:
        outcome = conduct(config, directory)
    except HPOError as error:
        return Result(directory, 1, str(error))
    except Exception:
        return Result(directory, 1, f"an error in hpo itself; please report it with this:\n{traceback.format_exc()}")
    if outcome.failure is not None:
        return Result(directory, 1, outcome.failure)
    return Result(directory, 0 if outcome.signal is None else 128 + outcome.signal)
