"""hpo as a process: the terminal is its, signals are passed on, and it ends with the app that started it."""

import contextlib
import functools
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra.errors import CompactHydraException

from hpo.experiment.signals import ENDING
from hpo.host.parent_death import end_with

log = logging.getLogger(__name__)


def run_hpo(words: Sequence[str], directory: Path) -> None:
    """Run `hpo` with overrides to its end.

    Args:
        words: its command line.
        directory: where it works, for messages.

    Raises:
        CompactHydraException: it failed, and has said why.
        SystemExit: a signal has ended it, in order.
    """
    # In a group of its own, so that a signal to this group reaches it once, from here: a second one ends trials at once.
    process = subprocess.Popen(
        [sys.executable, "-m", "hpo", *words],
        process_group=0,
        preexec_fn=functools.partial(end_with, os.getpid()),
    )
    with _signals_passed_on(process):
        code = process.wait()
    code = 128 - code if code < 0 else code
    if code > 128:
        log.info("Interrupted; the same command goes on: %s", directory)
        sys.exit(code)
    if code != 0:
        raise CompactHydraException(
            f"{directory}: the search has failed; what hpo says of it stands above; a KEY in it is hydra.sweeper.KEY here, "
            "or stands in hydra.sweeper.overrides=['KEY=VALUE'], and for an experiment_tag there is hydra.sweep.dir"
        )


@contextlib.contextmanager
def _signals_passed_on(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # signals belong to the main thread
        return
    heeded = [number for number in ENDING if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, lambda number, _: process.send_signal(number)) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
