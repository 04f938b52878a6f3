"""Driving a fuzzer: case after case from a seed until the time is up, each within a limit, a failure with its reproducer.

HPO_FUZZ_SECONDS is how long each fuzzer works, HPO_FUZZ_SEED which cases, HPO_FUZZ_CASE only this one of them.
"""

import contextlib
import logging
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.reliability.harness import RUNS

SECONDS = float(os.environ.get("HPO_FUZZ_SECONDS", "600" if RUNS else "3"))
SEED = int(os.environ.get("HPO_FUZZ_SEED", str(time.time_ns() % 10**6) if RUNS else "1"))
CASE = os.environ.get("HPO_FUZZ_CASE")
LONGEST_CASE = 60
"""Seconds; a case takes milliseconds, but not on every machine."""
MOST_MEMORY = 300
"""Megabytes by which a whole fuzzer may raise the peak."""


class Hang(Exception):
    """A case took longer than its limit."""


@contextlib.contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raise Hang when what is inside takes longer."""

    def ring(_number: int, _frame: Any) -> None:
        raise Hang(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class _Formatting(logging.Handler):
    """Says everything that is logged to nobody: what cannot be said is an error, and nothing is kept."""

    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What hpo logs goes nowhere."""
    log = logging.getLogger("hpo")
    handlers, propagates = log.handlers, log.propagate
    log.handlers, log.propagate = [_Formatting()], False
    try:
        yield
    finally:
        log.handlers, log.propagate = handlers, propagates


def memory(line: str) -> float:
    """Megabytes, from a line of /proc/self/status."""
    text = Path("/proc/self/status").read_text()
    return next(int(row.split()[1]) for row in text.splitlines() if row.startswith(line)) / 1024


def fuzz(
    name: str, case: Callable[[random.Random, Callable[[bytes], None]], str], seconds: float = SECONDS
) -> Counter[str]:
    """Run cases until the time is up; the outcomes and how often each came.

    Args:
        name: of the fuzzer; part of the seed.
        case: makes an input from a generator, notes it, tries it out, says in a word what came of it.
        seconds: how long.
    """
    outcomes: Counter[str] = Counter()
    noted: list[bytes] = []
    Path("/proc/self/clear_refs").write_text("5")  # the peak is from now on
    before = memory("VmRSS")
    end = time.monotonic() + seconds
    number = int(CASE) if CASE else 0
    while True:
        noted.clear()
        try:
            with limited(LONGEST_CASE), quiet():
                outcomes[case(random.Random(f"{name} {SEED} {number}"), noted.append)] += 1
        except Exception as error:
            inputs = "\n".join(f"  {data[:20_000].hex()}" for data in noted)
            again = f"HPO_FUZZ_SEED={SEED} HPO_FUZZ_CASE={number}"
            raise AssertionError(
                f"{name}: {type(error).__name__}: {error}\n{again}\ninput, in hex:\n{inputs}"
            ) from error
        number += 1
        if CASE or time.monotonic() >= end:
            break
    grown = memory("VmHWM") - before
    told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    sys.stdout.write(f"\n{name}: seed {SEED}, {outcomes.total()} cases ({told}), peak memory {grown:+.0f} MB\n")
    assert grown < MOST_MEMORY, f"{name}: {grown:.0f} MB more at its peak"
    return outcomes


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Bytes with flips, cuts, repetitions, exchanged and inserted parts."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5, 20])):
        at, length = rng.randrange(len(out) + 1), rng.choice([1, 2, 8, 100, 4096])
        match rng.randrange(7):
            case 0 if out:
                out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
            case 1:
                del out[at : at + length]
            case 2:
                out[at:at] = rng.randbytes(length)
            case 3:
                out[at:at] = out[at : at + length]
            case 4:
                out[at : at + length] = bytes(len(out[at : at + length]))
            case 5:
                other = rng.randrange(len(out) + 1)
                out[at : at + length], out[other : other + length] = out[other : other + length], out[at : at + length]
            case _:
                out[at:at] = rng.choice(
                    [b"\x00", b"\xff\xfe", b"\r", b"\n", b'"', b"{", b"[", b"\xed\xa0\x80", b"\xf0\x9f"]
                )
    return bytes(out)


def page_swapped(rng: random.Random, data: bytes, page: int = 4096) -> bytes:
    """A file two of whose pages stand in each other's place."""
    pages = [data[i : i + page] for i in range(0, len(data), page)]
    if len(pages) > 1:
        a, b = rng.sample(range(len(pages)), 2)
        pages[a], pages[b] = pages[b], pages[a]
    return b"".join(pages)
