"""Many simulated experiments at once: one forked process per core, so that nothing is imported or read twice."""

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
    """The outcome of one experiment of a batch."""

    directory: Path
    code: int
    error: str | None = None


@dataclass
class _Worker:
    process: ForkProcess
    at: int | None = None
    """Index of the experiment that the worker is running; None if it is idle."""


def run_batch(experiments: Sequence[Experiment], processes: int | None = None) -> Generator[Result, None, None]:
    """Run simulated experiments, each in its directory, and yield their results as they finish.

    If the batch ends early, every experiment has either run to its end or stored nothing, so that its log is the same
    as always. After Ctrl-C, SIGTERM or SIGHUP the batch waits for running experiments; after a second signal it does
    not.

    Args:
        experiments: Configuration and directory of each experiment.
        processes: Number of processes; None is one per core.
    """
    if (number := asked_to_end()) is not None:
        raise SystemExit(128 + number)
    for table in {config.benchmark.table for config, _ in experiments} - {None}:
        with contextlib.suppress(HPOError):  # each experiment reports the error itself
            find_table(str(table))  # read before forking, so that all workers share it
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
    # Block signals until the parent knows the worker and the worker ignores them.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        process.start()
        workers[ours] = _Worker(process)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    return ours


def _give(workers: dict[Connection, _Worker], pipe: Connection, left: deque[int]) -> None:
    """Send a worker the next experiment, or end the worker if none is left."""
    if not left:
        pipe.close()
        workers.pop(pipe).process.join()
        return
    workers[pipe].at = left.popleft()
    with contextlib.suppress(ConnectionError):  # the worker is dead: the next `wait` shows it
        pipe.send(workers[pipe].at)


def _lost(worker: _Worker, experiments: Sequence[Experiment]) -> Result | None:
    """Return the result of the experiment that a worker was running when it died; None if it was idle."""
    worker.process.join()
    if worker.at is None:
        return None
    code = worker.process.exitcode or 0
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    if code == -signal.SIGKILL:
        how += ", as the kernel does when memory runs out,"
    error = f"its process {how} before it was complete; the same command runs what is missing"
    return Result(experiments[worker.at][1], 1, error)


def _end(workers: dict[Connection, _Worker]) -> None:
    """Wait for running experiments without starting new ones; kill them if another signal comes."""
    try:
        for pipe in workers:
            pipe.close()
        for worker in workers.values():
            worker.process.join()
    finally:
        for worker in workers.values():
            worker.process.kill()


def _work(pipe: Connection, others: Iterable[Connection], parent: int, experiments: Sequence[Experiment]) -> None:
    """Run a worker process: run the experiments whose indices arrive, until the pipe is closed."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)  # signals may reach the whole process group; only the parent acts on them
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    end_with(parent)
    for other in others:
        other.close()  # the parent's ends of other workers' pipes; left open, these would not see them close
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
