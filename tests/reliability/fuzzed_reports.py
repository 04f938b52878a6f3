"""What trials may write on the report channel: valid reports among anything else, read through a whole tuner."""

import itertools
import json
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hpo import build_scheduler
from hpo.backends.base import Backend
from hpo.backends.report_channel import DEEPEST, Channel
from hpo.errors import ExperimentError
from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.types import BackendEvent, Exit, Garbage, Kind, Report, Trial
from hpo.schedulers.replay import restore
from hpo.store.event_store import Store
from hpo.tuner.loop import Tuner
from hpo.tuner.stopping import Budget
from hpo.tuner.trial_limits import Limits
from tests.reliability.fuzzed_configs import check_sentence
from tests.reliability.fuzzing import mutated

OBJECTIVE = Objective("loss", "min", "epoch")
PREFIX = b"[tune-metric]: "
SPACE = {"x": {"type": "float", "lower": 0.0, "upper": 1.0}}

NO_REPORTS = [
    *(
        b"epoch 1: loss 0.5",
        b"[1, 2]",
        b"3",
        b"null",
        b'"text"',
        b"{",
        b'{"a": 1',
        b'{"a": 1}}',
        b"{'a': 1}",
        b"\xff\xfe",
    ),
    *(b"\x00" * 50, b"{}{}", b'{"a": 01}', b'{"a": --1}', b'{"a": 1,}', b"[" * 100_000, b'{"a":' * 50_000),
    *(b"9" * 5000, b'{"loss": ' + b"9" * 5000 + b"}", b'{"loss": "\\ud8', b"\xed\xa0\x80", b"x" * 1_500_000),
    *(b"[tune-metric]: no", b"[tune-metric]:{}", b"\x1b[2J\x1b[31m", b"  \t\r", b"\xef\xbb\xbf{}"),
]
"""Lines of which none is a JSON object."""


SIMPLE: list[Any] = [
    *(None, True, False, 0, -1, 1, 0.0, -0.0, 1e308, -1e308, 5e-324, float("nan"), float("inf"), float("-inf")),
    *(
        2**53,
        2**53 - 1,
        2**64,
        10**400,
        -(10**4000),
        "",
        "a",
        "\x00",
        "\ud800",
        "\U0001f600",
        "nan",
        "1e-3",
        "x" * 1000,
    ),
]


def value(rng: random.Random, depth: int = 0) -> Any:
    """Anything that JSON, as Python reads it, can hold."""
    match rng.randrange(12) if depth < 4 else 0:
        case 10:
            return [value(rng, depth + 1) for _ in range(rng.randrange(5))]
        case 11:
            return {str(value(rng, 4)): value(rng, depth + 1) for _ in range(rng.randrange(5))}
        case _:
            return rng.choice([*SIMPLE, rng.random(), rng.randrange(1, 12), "x" * rng.choice([10, 50_000])])


def nested(rng: random.Random) -> bytes:
    """A report that is nested about as deeply as a parser goes."""
    depth = rng.choice([50, 200, rng.randrange(1, 1100), rng.randrange(850, 1000)])
    kind = rng.choice([(b"[", b"]"), (b'{"a":', b"}")])
    return (
        b'{"loss": 0.5, "epoch": %d, "deep": ' % rng.randrange(1, 9) + kind[0] * depth + b"1" + kind[1] * depth + b"}"
    )


def hostile(rng: random.Random) -> bytes:
    """A line that may be a report, though hardly one that makes sense."""
    content: dict[str, Any] = {"loss": rng.random(), "epoch": rng.randrange(1, 9)}
    match rng.randrange(8):
        case 0:
            return nested(rng)
        case 1:
            content["loss"] = value(rng)
        case 2:
            content["epoch"] = value(rng)
        case 3:
            content = {str(value(rng, 4)): value(rng) for _ in range(rng.choice([0, 1, 5]))}
        case 4:
            content |= {f"m{i}": i for i in range(rng.choice([1, 100, 100, 5000]))}
        case 5:
            content = {f"{rng.choice(['los', 'epo', 'm'])}{i}": i for i in range(rng.choice([1, 100]))}
        case 6:
            return mutated(rng, json.dumps(content).encode()).replace(b"\n", b"")
        case _:
            content[str(value(rng, 4))] = value(rng)
    return json.dumps(content, ensure_ascii=rng.random() < 0.8).encode("utf-8", "surrogatepass")


def channel_bytes(rng: random.Random, *, sensible: bool, prefixed: bool) -> tuple[bytes, list[dict[str, Any]]]:
    """What one attempt writes, and the valid reports in it.

    Args:
        rng: of the case.
        sensible: what is no valid report is no JSON object either.
        prefixed: for Syne Tune's channel.
    """
    head = PREFIX if prefixed else b""
    out, reports = b"", []
    for epoch in range(1, rng.randrange(2, 11)):
        for _ in range(rng.choice([0, 0, 1, 3])):
            line = rng.choice(NO_REPORTS[:-5] if rng.random() < 0.9 else NO_REPORTS) if sensible else hostile(rng)
            out += (head if rng.random() < 0.7 else b"") + line + rng.choice([b"\n", b"\r\n"])
        reports.append({"loss": rng.random(), "epoch": epoch, "text": rng.choice(["", "é\u2028", "x" * 9000])})
        text = json.dumps(reports[-1], ensure_ascii=rng.random() < 0.5).encode()
        out += (rng.choice([b"", b"50%\r"]) if prefixed else b"") + head + text + rng.choice([b"\n", b"\r\n", b" \n"])
    return out + rng.choice([b"", b"{", b"\xff", b'{"loss": 1']), reports


class ChannelBackend(Backend):
    """Its trials have written everything before they are looked at; it is read through `Channel`, in pieces.

    Args:
        folder: for the files.
        written: what each attempt writes, in the order of their start.
        rng: gives the pieces.
        prefixed: for Syne Tune's channel.
    """

    def __init__(self, folder: Path, written: Sequence[bytes], rng: random.Random, *, prefixed: bool) -> None:
        self._folder, self._written, self._rng, self._prefixed = folder, list(written), rng, prefixed
        self._numbers = itertools.count()
        self._queue: list[tuple[Trial, int, int, bytes]] = []

    def start(self, trial: Trial, attempt: int, until: int | None) -> None:
        self._queue.append((trial, attempt, next(self._numbers), self._written.pop(0) if self._written else b""))

    def stop(self, trial_id: int, patience: float = 0.0) -> None:
        pass  # it ends by itself

    def wake(self) -> None:
        pass

    def wait(self, timeout: float | None) -> Sequence[BackendEvent]:
        assert self._queue, "the tuner waits for ever"
        trial, attempt, number, data = self._queue.pop(0)
        path = self._folder / str(number)
        path.touch()
        channel = Channel(path, trial.id, attempt, prefixed=self._prefixed)
        cuts = sorted(self._rng.randrange(len(data) + 1) for _ in range(self._rng.choice([0, 1, 5])))
        events: list[BackendEvent] = []
        for start, end in itertools.pairwise([0, *cuts, len(data)]):
            with path.open("ab") as file:
                file.write(data[start:end])
            events += channel.read()
        events += channel.finish()
        path.unlink()
        assert all(
            isinstance(event, Report) or len(event.text) < 1000 for event in events if not isinstance(event, Exit)
        )
        return [*events, Exit(trial.id, attempt, 0)]


def run(folder: Path, rng: random.Random, note: Callable[[bytes], None]) -> str:
    """One experiment whose trials write what comes to mind."""
    sensible, prefixed = rng.random() < 0.5, rng.random() < 0.4
    written = [channel_bytes(rng, sensible=sensible, prefixed=prefixed) for _ in range(4)]
    for data, _ in written:
        note(data)
    path = folder / "events.db"
    path.unlink(missing_ok=True)
    store = Store(path)
    state = ExperimentState(OBJECTIVE)
    scheduler = build_scheduler("RS", SPACE, max_resource=None, seed=0)
    tuner = Tuner(
        scheduler,
        ChannelBackend(folder, [data for data, _ in written], rng, prefixed=prefixed),
        *(store, state, Budget(max_num_trials=4), Limits(n_workers=2)),
    )
    try:
        tuner.run()
        outcome = "runs to the end"
    except ExperimentError as error:
        check_sentence(str(error), longest=2000)
        outcome = "a sentence"
    events = list(store.read())
    store.close()
    again = ExperimentState(OBJECTIVE)
    restore(build_scheduler("RS", SPACE, max_resource=None, seed=0), again, events)
    for trial in (*again.trials.values(), *state.trials.values()):
        trial.heard = 0.0  # a report of a known resource is a sign of life that nobody stores
    assert repr(again) == repr(state), "what is stored is not what was known"
    found = {trial: [e for e in events if e.kind == Kind.REPORTED and e.trial == trial] for trial in state.trials}
    for reports in found.values():
        resources = [event.resource for event in reports]
        assert resources == sorted(set(resources)), "a resource is stored twice or out of order"
    assert state.incumbent is None or state.incumbent.loss == min(
        OBJECTIVE.loss(event.body["metrics"]) for reports in found.values() for event in reports
    )
    if sensible:
        assert outcome == "runs to the end"
        for (_, wanted), reports in zip(written, found.values(), strict=True):
            assert [event.body["metrics"] for event in reports] == wanted, "valid reports are lost or changed"
    return outcome


def read_channel(folder: Path, rng: random.Random, note: Callable[[bytes], None]) -> str:
    """The channel alone, against the definition: every line is one JSON object, or it is not a report."""
    data = b"\n".join(mutated(rng, hostile(rng)[:3000]) for _ in range(rng.randrange(6)))
    if rng.random() < 0.3:
        data = rng.randbytes(rng.randrange(3000)) + b"\n" + data
    note(data)
    path = folder / "alone"
    path.write_bytes(b"")
    channel = Channel(path, 0, 0)
    events: list[BackendEvent] = []
    with path.open("ab", buffering=0) as file:
        for start in range(0, len(data), 700):
            file.write(data[start : start + 700])
            events += channel.read()
    events += channel.finish()
    *lines, rest = data.split(b"\n")
    wanted = [kind for line in lines if (kind := _meaning(line)) is not None] + ([Garbage] if rest else [])
    assert [type(event) for event in events] == wanted
    return f"{'some' if Report in wanted else 'no'} reports"


def _meaning(line: bytes) -> type | None:
    if not line.strip():
        return None
    text = line.decode("utf-8", "replace")
    try:
        content = json.loads(text)
    except ValueError:
        try:
            content = json.loads("".join(map(_number, re.split(r'("(?:[^"\\]|\\.)*"?|[\s,:\[\]{}])', text))))
        except (ValueError, RecursionError):
            return Garbage
    except RecursionError:
        return Garbage
    return Report if isinstance(content, dict) and _depth(content) <= DEEPEST else Garbage


def _number(word: str) -> str:
    """A bare number of another language in Python's words."""
    bare = re.sub(r"(?<=nan)\(\w*\)$", "", word.lower(), flags=re.ASCII).replace("d", "e")
    if (
        word in ("NaN", "Infinity", "-Infinity")
        or "_" in bare
        or not bare.isascii()
        or re.match(r"[-+]?0*\d+$|[-+]?0\d", word)
    ):
        return word
    try:
        return json.dumps(float(bare))
    except ValueError:
        return word


def _depth(value: Any) -> int:
    """Of containers in containers."""
    try:
        text = json.dumps(value)
    except RecursionError:  # hundreds: the parser goes a few levels deeper than the encoder
        return DEEPEST + 1
    deepest = depth = 0
    for character in re.sub(r'"(?:[^"\\]|\\.)*"', "", text):
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
    return deepest
