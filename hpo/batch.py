"""Many simulated experiments at once: a process per core, forked from this one, so that nothing is imported or read again."""

import contextlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from hpo.config import ExperimentConfig
from hpo.errors import HPOError
from hpo.experiment import run_experiment
from hpo.progress import clock, say
from hpo.tables.find import find_table


@dataclass(frozen=True)
class Result:
    """How one experiment of a batch ended."""

    directory: Path
    code: int
    error: str | None = None


def run_batch(experiments: Sequence[tuple[ExperimentConfig, Path]], processes: int | None = None) -> Iterator[Result]:
    """Run simulated experiments, each into its directory; results come as they are finished.

    Args:
        experiments: (configuration, directory) of each.
        processes: how many at a time; None is one per core.
    """
    for table in {config.benchmark.table for config, _ in experiments} - {None}:
        with contextlib.suppress(HPOError):  # each experiment says so for itself
            find_table(str(table))  # read before the fork, shared by all
    count = min(processes or len(os.sched_getaffinity(0)), len(experiments))
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(count, mp_context=context, initializer=_ignore_interrupts) as pool:
        futures = [pool.submit(_run, config, directory) for config, directory in experiments]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _ignore_interrupts() -> None:
    """Ctrl-C reaches the whole group: the parent decides, a running experiment takes less than a second."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run(config: ExperimentConfig, directory: Path) -> Result:
    try:
        run_experiment(config, directory)
    except HPOError as error:
        return Result(directory, 1, str(error))
    except Exception:
        return Result(directory, 1, f"an error in hpo itself; please report it with this:\n{traceback.format_exc()}")
    return Result(directory, 0)


def shown(results: Iterator[Result], total: int) -> Iterator[Result]:
    """Pass results on and show how far they are: a bar on a terminal, else a line every tenth."""
    begin = time.monotonic()
    advance, close = _bar(total) if sys.stdout.isatty() else (lambda: None, lambda: None)
    try:
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
