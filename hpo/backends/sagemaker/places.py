"""Where an experiment's trials have their things on S3, and what its attempts and their jobs are called.

<root>/orders/<attempt>/order.json            what the job is to do
<root>/live/<attempt>/begun                   it does
<root>/live/<attempt>/<start>-<end>           those bytes of its reports; written once
<root>/live/<attempt>/exit                    how it ended; the last that is written
<root>/logs/<attempt>/stderr.log              the end of what the script said
<root>/checkpoints/<trial>/<attempt>-<number>-<position>.tar

An attempt's name has its trial, its number and a digest of what it is to do: what a lost past has left under its number
passes for nothing else. A checkpoint says how many bytes of reports were there when it was made: a trial goes on from none
whose reports were not taken in.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hpo.aws.names import LONGEST_JOB_NAME, hash4, part, slug
from hpo.config.schema import ExperimentConfig
from hpo.events.types import Trial

_LIVE = re.compile(r"([^/]+)/(?:(\d{15})-(\d{15})|exit|begun)")
_STORED = re.compile(r"(\d{5})-(\d{6})-(\d{15})\.tar")


@dataclass(frozen=True)
class JobPlaces:
    """Keys of one experiment's life.

    Args:
        root: that all of them begin with, without a slash at the end.
    """

    root: str

    @classmethod
    def of(cls, experiment: ExperimentConfig, prefix: str, whose: str) -> "JobPlaces":
        """Those of an experiment, in one of its lives."""
        run = f"{part(experiment.method.name)}-{experiment.seed}"
        where = [prefix, "_trials", part(experiment.experiment_tag), run, part(experiment.benchmark.name)]
        return cls("/".join([*where, whose[:8]]))

    @property
    def live(self) -> str:
        """What everything begins with that running attempts write."""
        return f"{self.root}/live/"

    def order(self, attempt: str) -> str:
        """Folder of an attempt's order."""
        return f"{self.root}/orders/{attempt}/"

    def log(self, attempt: str, name: str) -> str:
        """One of an attempt's logs."""
        return f"{self.root}/logs/{attempt}/{name}"

    def checkpoints(self, trial_id: int | None = None) -> str:
        """Folder of a trial's checkpoints, or of all."""
        return f"{self.root}/checkpoints/" + ("" if trial_id is None else f"{trial_id}/")

    def piece(self, attempt: str, start: int, end: int) -> str:
        """Bytes of an attempt's reports."""
        return f"{self.live}{attempt}/{start:015d}-{end:015d}"

    def end(self, attempt: str) -> str:
        """How an attempt ended."""
        return f"{self.live}{attempt}/exit"

    def beginning(self, attempt: str) -> str:
        """That it has begun."""
        return f"{self.live}{attempt}/begun"


@dataclass(frozen=True, order=True)
class StoredCheckpoint:
    """A checkpoint on S3; the later one is the greater."""

    attempt: int
    number: int
    position: int
    """Bytes of the attempt's reports when it was made."""
    key: str
    size: int

    @classmethod
    def read(cls, key: str, size: int) -> "StoredCheckpoint | None":
        """What a key says; None where it is none of ours."""
        found = _STORED.fullmatch(key.rpartition("/")[2])
        return None if found is None else cls(int(found[1]), int(found[2]), int(found[3]), key, size)

    @staticmethod
    def name(attempt: int, number: int, position: int) -> str:
        """The last part of its key."""
        return f"{attempt:05d}-{number:06d}-{position:015d}.tar"


def newest(stored: Iterable[StoredCheckpoint], taken: Mapping[int, int], after: int) -> StoredCheckpoint | None:
    """The checkpoint to go on from.

    Args:
        stored: all of a trial.
        taken: bytes of reports that were taken in, by attempt.
        after: nothing of this or an earlier attempt counts any more.
    """
    fit = [one for one in stored if one.attempt > after and one.position <= taken.get(one.attempt, -1)]
    return max(fit, default=None)


def live_key(key: str, live: str) -> tuple[str, tuple[int, int] | None, bool] | None:
    """(attempt, its bytes, whether it is the end) of a key below `live`; None for what is none of ours."""
    found = _LIVE.fullmatch(key.removeprefix(live))
    if found is None:
        return None
    piece = None if found[2] is None else (int(found[2]), int(found[3]))
    return found[1], piece, key.endswith("/exit")


def life(experiment: ExperimentConfig, created: float) -> str:
    """32 hexadecimal digits for an experiment that began at a moment of unix time: one that replaces it has others."""
    return _digest(f"{experiment.place}\0{experiment.random_seed}\0{created!r}")


def attempt_name(whose: str, trial: Trial, attempt: int, until: int | None) -> str:
    """The name of an attempt in an experiment's life."""
    content = json.dumps([dict(trial.configuration), until], sort_keys=True, default=str)
    return f"{trial.id}-{attempt}-{_digest(f'{whose}{content}')[:12]}"


def job_of_attempt(experiment: ExperimentConfig, whose: str, trial_id: int, attempt: int, again: int = 0) -> str:
    """`{tag}-{method}-{seed}-{hash}-{trial}-{attempt}`; what is too long is cut from the tag and the method.

    A name that somebody else's job has is followed by one with `-r1` behind it, and so on.
    """
    tail = f"-{experiment.seed}-{hash4(whose)}-{trial_id}-{attempt}" + (f"-r{again}" if again else "")
    room = LONGEST_JOB_NAME - len(tail)
    tag, method = slug(experiment.experiment_tag), slug(experiment.method.name)
    method = method[: max(room // 2, room - 1 - len(tag))].rstrip("-")
    return f"{tag[: room - 1 - len(method)].rstrip('-')}-{method}{tail}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def description(trial: Trial, **more: Any) -> bytes:
    """An order, as it is stored."""
    return json.dumps({"trial": trial.id, "configuration": dict(trial.configuration), **more}).encode()
