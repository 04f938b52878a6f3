"""Messages between the tuner, the driver and the slots of the Ray backend, matched by type, and their form as JSON.

    tuner ── Order ──→ driver ── AttemptOrder ──→ slot
    tuner ←── News ─── driver ←── SlotMessage ─── slot

All three run the same version of hpo. `slot` is a slot's number. The first message to a slot is in `hpo.ray.actor`, since
a node must read it before it is known to have hpo.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

from hpo.backends.jobs.outcome import exit_from_json, exit_to_json
from hpo.events.types import BackendEvent, Exit
from hpo.ray.actor import SlotOpening


@dataclass(frozen=True, slots=True)
class OpenSession:
    """The first order to a driver: connect with a cluster and keep slots there."""

    address: str
    folder: str
    """Folder for the files of a cluster on this machine."""
    code: str | None
    """Archive of code for nodes that do not share the directory."""
    cpus: float
    gpus: int
    slots: int
    """Number of slots."""
    needed: Mapping[str, float]
    """Resources of each slot, by Ray's names."""
    pending_notice: float
    autoscaling: bool
    grace: float
    """Seconds that slots have to end in order."""
    opening: SlotOpening


@dataclass(frozen=True, slots=True)
class Restore:
    """The place of an attempt's checkpoints in the storage, and the one that it resumes from."""

    root: str
    """Beginning of the keys of all checkpoints."""
    key: str | None = None
    digest: str | None = None
    """Digest of that archive; None if an earlier version of hpo has stored it."""


@dataclass(frozen=True, slots=True)
class StartAttempt:
    """The order to run an attempt; see `Backend.start`."""

    slot: int
    trial_id: int
    configuration: Mapping[str, Any]
    attempt: int
    until: int | None
    restore: Restore | None = None
    """None if all nodes share the experiment's directory."""


@dataclass(frozen=True, slots=True)
class StopAttempt:
    """The order to end an attempt; see `Backend.stop`."""

    slot: int
    trial_id: int
    patience: float


@dataclass(frozen=True, slots=True)
class KillAttempt:
    """The order to end an attempt by SIGKILL."""

    slot: int


@dataclass(frozen=True, slots=True)
class ReleaseSlot:
    """The order to replace a slot by one on another node."""

    slot: int


@dataclass(frozen=True, slots=True)
class AvoidNodes:
    """The order to place no new slots on these nodes."""

    nodes: Sequence[str]


@dataclass(frozen=True, slots=True)
class CloseSession:
    """The order to end all slots in order."""


@dataclass(frozen=True, slots=True)
class SessionFailed:
    """The news that nothing can be run."""

    why: str


@dataclass(frozen=True, slots=True)
class ClusterConnected:
    """The news that there is a cluster: the names of its nodes, and its version of Ray."""

    nodes: Sequence[str]
    ray: str


@dataclass(frozen=True, slots=True)
class SlotReady:
    """The news that a slot is ready on a node."""

    slot: int
    node: str
    host: str


@dataclass(frozen=True, slots=True)
class NodeRefused:
    """The news that trials cannot run on a node."""

    node: str
    host: str
    why: str


@dataclass(frozen=True, slots=True)
class FittingNodes:
    """The nodes that a slot fits on."""

    nodes: Sequence[str]


@dataclass(frozen=True, slots=True)
class SlotSilent:
    """The news that a slot has not answered for some seconds."""

    slot: int
    seconds: float


@dataclass(frozen=True, slots=True)
class SlotAnswers:
    """The news that a silent slot answers again."""

    slot: int


@dataclass(frozen=True, slots=True)
class SlotLost:
    """The news that a slot was lost; another one is requested."""

    slot: int
    why: str


@dataclass(frozen=True, slots=True)
class PendingNotice:
    """A sentence that says which resources slots wait for."""

    text: str


@dataclass(frozen=True, slots=True)
class LogMessage:
    """A message for the experiment's log; `once` names a problem that all slots share."""

    level: int
    text: str
    once: str | None = None


@dataclass(frozen=True, slots=True)
class SlotBroken:
    """The message that a slot can run no more trials."""

    why: str


@dataclass(frozen=True, slots=True)
class SlotClosed:
    """The last message of a slot: no process of any trial is left."""


@dataclass(frozen=True, slots=True)
class ReportPiece:
    """The bytes of an attempt's reports from byte `start` on."""

    trial_id: int
    attempt: int
    start: int
    content: bytes


@dataclass(frozen=True, slots=True)
class LogEnd:
    """The end of one of an attempt's logs."""

    trial_id: int
    attempt: int
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class CheckpointSaved:
    """The message that a checkpoint, made after `position` bytes of reports, is in the storage."""

    trial_id: int
    attempt: int
    key: str
    position: int
    size: int
    digest: str | None


@dataclass(frozen=True, slots=True)
class CheckpointMissing:
    """The message that a checkpoint is not in the storage, or damaged there."""

    trial_id: int
    key: str


@dataclass(frozen=True, slots=True)
class CopiesEnded:
    """The message that no further checkpoint of an attempt will be stored; `whole` if its last one is."""

    trial_id: int
    attempt: int
    whole: bool


AttemptOrder = StartAttempt | StopAttempt | KillAttempt
StorageMessage = ReportPiece | LogEnd | CheckpointSaved | CheckpointMissing | CopiesEnded
SlotMessage = BackendEvent | StorageMessage | LogMessage | SlotBroken | SlotClosed


@dataclass(frozen=True, slots=True)
class SlotTold:
    """The messages of a slot."""

    slot: int
    told: Sequence[SlotMessage]


Order = OpenSession | AttemptOrder | ReleaseSlot | AvoidNodes | CloseSession
SlotNews = SlotReady | SlotTold | SlotSilent | SlotAnswers | SlotLost
News = SlotNews | SessionFailed | ClusterConnected | NodeRefused | FittingNodes | PendingNotice
_KINDS: Mapping[str, Any] = {kind.__name__: kind for kind in get_args(Order | News | SlotMessage)}
_INSIDE: Mapping[str, Any] = {"opening": SlotOpening, "restore": Restore}
"""Classes of the fields that are dataclasses themselves."""


def to_json(message: Order | News | SlotMessage) -> dict[str, Any]:
    """Return a message as a JSON object for `from_json`."""
    match message:
        case Exit():
            content = exit_to_json(message)
        case tuple():
            content = message._asdict()
        case SlotTold():
            content = {"slot": message.slot, "told": [to_json(one) for one in message.told]}
        case ReportPiece() | LogEnd():
            content = asdict(message) | {"content": message.content.decode("utf-8", "surrogateescape")}
        case _:
            content = asdict(message)
    return {"kind": type(message).__name__, **content}


def from_json(content: Mapping[str, Any]) -> Any:
    """Return the message that `to_json` was given."""
    values = {**content}
    kind = _KINDS[values.pop("kind")]
    if kind is Exit:
        return exit_from_json(values)
    if kind is SlotTold:
        values["told"] = [from_json(one) for one in values["told"]]
    if "content" in values:
        values["content"] = values["content"].encode("utf-8", "surrogateescape")
    for name in _INSIDE.keys() & values.keys():
        values[name] = values[name] and _INSIDE[name](**values[name])
    return kind(**values)


def to_bytes(messages: Iterable[Order | SlotMessage]) -> bytes:
    """Return messages as one piece of JSON for `from_bytes`."""
    return json.dumps([to_json(message) for message in messages]).encode()


def from_bytes(text: bytes) -> list[Any]:
    """Return the messages that `to_bytes` was given."""
    return [from_json(content) for content in json.loads(text)]
