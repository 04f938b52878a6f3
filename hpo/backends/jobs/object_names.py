"""Names of an experiment's objects in the place that tuner and jobs share, and of its attempts and their jobs.

<root>/orders/<attempt>/order.json            the job's order
<root>/live/<attempt>/begun                   written when the job begins
<root>/live/<attempt>/<start>-<end>           those bytes of its reports; written once
<root>/live/<attempt>/exit                    how it ended; written last
<root>/logs/<attempt>/stderr.log              the end of the script's standard error
<root>/checkpoints/<trial>/<attempt>-<number>-<position>.tar

An attempt's name has its trial, its number and a digest of its order, so that objects from a lost past under the same
number are not mistaken for it. A checkpoint's name has the bytes of reports at the time it was made: a trial resumes only
from a checkpoint whose reports were taken in.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hpo.config.schema import ExperimentConfig
from hpo.events.types import Trial

LONGEST_JOB_NAME = 63
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_LIVE = re.compile(r"([^/]+)/(?:(\d{15})-(\d{15})|exit|begun)")
_STORED = re.compile(r"(\d{5})-(\d{6})-(\d{15})\.tar")


@dataclass(frozen=True)
class ObjectNames:
    """The keys of an experiment's objects, from its beginning until another experiment replaces it.

    Args:
        root: Start of all keys, without a slash at the end; may be empty.
    """

    root: str

    @classmethod
    def of(cls, experiment: ExperimentConfig, prefix: str, whose: str) -> "ObjectNames":
        """Return the names in a bucket that other experiments share; `whose` is the experiment's `life`."""
        run = f"{part(experiment.method.name)}-{experiment.seed}"
        where = [prefix, "_trials", part(experiment.experiment_tag), run, part(experiment.benchmark.name)]
        return cls("/".join([*where, whose[:8]]))

    def _below(self, key: str) -> str:
        return f"{self.root}/{key}" if self.root else key

    @property
    def live(self) -> str:
        """The prefix of everything that running attempts write."""
        return self._below("live/")

    def order(self, attempt: str) -> str:
        """Return the prefix of an attempt's order."""
        return self._below(f"orders/{attempt}/")

    def log(self, attempt: str, name: str) -> str:
        """Return the key of one of an attempt's logs."""
        return self._below(f"logs/{attempt}/{name}")

    def checkpoints(self, trial_id: int | None = None) -> str:
        """Return the prefix of a trial's checkpoints, or of all."""
        return self._below("checkpoints/" if trial_id is None else f"checkpoints/{trial_id}/")

    def piece(self, attempt: str, start: int, end: int) -> str:
        """Return the key of some bytes of an attempt's reports."""
        return f"{self.live}{attempt}/{start:015d}-{end:015d}"

    def end(self, attempt: str) -> str:
        """Return the key of an attempt's exit."""
        return f"{self.live}{attempt}/exit"

    def beginning(self, attempt: str) -> str:
        """Return the key of the object that marks the beginning of an attempt."""
        return f"{self.live}{attempt}/begun"


@dataclass(frozen=True, order=True)
class StoredCheckpoint:
    """A checkpoint in the place; the later of two is the greater."""

    attempt: int
    number: int
    position: int
    """Bytes of the attempt's reports when the checkpoint was made."""
    key: str
    size: int

    @classmethod
    def read(cls, key: str, size: int) -> "StoredCheckpoint | None":
        """Return the checkpoint that a key names; None if the key does not belong to hpo."""
        found = _STORED.fullmatch(key.rpartition("/")[2])
        return None if found is None else cls(int(found[1]), int(found[2]), int(found[3]), key, size)

    @staticmethod
    def name(attempt: int, number: int, position: int) -> str:
        """Return the last part of a checkpoint's key."""
        return f"{attempt:05d}-{number:06d}-{position:015d}.tar"


def newest(stored: Iterable[StoredCheckpoint], taken: Mapping[int, int], after: int) -> StoredCheckpoint | None:
    """Return the checkpoint to resume from: the latest whose reports were taken in.

    Args:
        stored: All checkpoints of a trial.
        taken: Bytes of reports that were taken in, by attempt.
        after: Attempt up to which checkpoints are not used.
    """
    fit = [one for one in stored if one.attempt > after and one.position <= taken.get(one.attempt, -1)]
    return max(fit, default=None)


def live_key(key: str, live: str) -> tuple[str, tuple[int, int] | None, bool] | None:
    """Return (attempt, its bytes, whether it is the exit) for a key below `live`; None if the key does not belong to hpo."""
    found = _LIVE.fullmatch(key.removeprefix(live))
    if found is None:
        return None
    piece = None if found[2] is None else (int(found[2]), int(found[3]))
    return found[1], piece, key.endswith("/exit")


def life(experiment: ExperimentConfig, created: float) -> str:
    """Return 32 hexadecimal digits for an experiment that began at a Unix time; one that replaces it gets different ones."""
    return _digest(f"{experiment.place}\0{experiment.random_seed}\0{created!r}")


def attempt_name(whose: str, trial: Trial, attempt: int, until: int | None) -> str:
    """Return the name of an attempt: its trial, its number, and a digest of configuration and end."""
    content = json.dumps([dict(trial.configuration), until], sort_keys=True, default=str)
    return f"{trial.id}-{attempt}-{_digest(f'{whose}{content}')[:12]}"


def job_of_attempt(experiment: ExperimentConfig, whose: str, trial_id: int, attempt: int, again: int = 0) -> str:
    """Return `{tag}-{method}-{seed}-{hash}-{trial}-{attempt}`; a longer name is shortened in the tag and the method.

    If another job has the name, `-r1` is appended, and so on.
    """
    tail = f"-{experiment.seed}-{hash4(whose)}-{trial_id}-{attempt}" + (f"-r{again}" if again else "")
    room = LONGEST_JOB_NAME - len(tail)
    tag, method = slug(experiment.experiment_tag), slug(experiment.method.name)
    method = method[: max(room // 2, room - 1 - len(tag))].rstrip("-")
    return f"{tag[: room - 1 - len(method)].rstrip('-')}-{method}{tail}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def hash4(digest: str) -> str:
    """Return four letters or digits for a hexadecimal digest."""
    number, text = int(digest, 16), ""
    for _ in range(4):
        number, index = divmod(number, len(_ALPHABET))
        text += _ALPHABET[index]
    return text


def slug(text: str) -> str:
    """Return a text as letters, digits and single words joined by '-'; never empty."""
    return re.sub(r"[^a-zA-Z0-9-]+", "-", text).strip("-") or "x"


def part(text: str, most: int = 100) -> str:
    """Return a text as one part of an S3 key. If it had to be changed, a hash of the original keeps it distinct."""
    changed = re.sub(r"[^a-zA-Z0-9_.-]+", "_", text)[:most]
    if changed == text and text.strip("."):
        return text
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{changed.strip('.')}-{digest}"


def description(trial: Trial, **more: Any) -> bytes:
    """Return an order in its stored form: trial, configuration and further content."""
    return json.dumps({"trial": trial.id, "configuration": dict(trial.configuration), **more}).encode()
