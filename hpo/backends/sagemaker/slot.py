"""What runs inside the job of one attempt, after the bootstrap: the local backend for one trial, and its mirror on S3.

/opt/ml/input/data/experiment/experiment.yaml     the experiment, as a job sees it
/opt/ml/input/data/order/order.json               the attempt
/opt/ml/hpo/experiment/                           the trial's files
/opt/ml/output/failure                            why it failed

The job ends when the attempt has ended and all of it is on S3. SIGTERM is passed on to the trial, which has its grace.
"""

import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from hpo.aws.archive import unpack
from hpo.aws.bootstrap import ML, WORK, write_failure
from hpo.aws.client import aws_errors_as_sentence, client, code_of
from hpo.backends.attempt_mirror import AttemptMirror
from hpo.backends.local import LocalBackend
from hpo.backends.sagemaker.places import JobPlaces, StoredCheckpoint, live_key
from hpo.backends.trial_program import Program
from hpo.config.reading import read_config
from hpo.errors import HPOError, print_error
from hpo.events.types import Exit, Trial
from hpo.store.directory import ExperimentDirectory

log = logging.getLogger("hpo.backends.sagemaker.slot")  # also where this module is __main__

INTERVAL = 1.0
"""Seconds between two pieces of an attempt's reports."""


class JobSlot:
    """One attempt in its job.

    Args:
        order: what is to be done.
        work: folder for the trial's files.
    """

    def __init__(self, order: dict[str, Any], work: Path) -> None:
        self._order = order
        self._trial = Trial(order["trial"], order["configuration"])
        self._places = JobPlaces(order["root"])
        self._s3 = client("s3", order["region"], None)
        self._files = ExperimentDirectory(work / "experiment")
        self._stopped = False
        self._backend: LocalBackend | None = None

    def stop(self, *_: object) -> None:
        """The service wants the machine back, or the tuner the end of the trial."""
        self._stopped = True
        if self._backend is not None:
            self._backend.wake()

    def run(self, experiment: Path) -> Exit:
        """Run the attempt to its end, and leave all of it on S3.

        Raises:
            HPOError: it cannot be run, or the machine is another one than it began on.
        """
        order, before = self._order, self._before()
        if before:
            # The service restarts jobs whose machine it took away. What was running there is lost, with what it wrote last.
            end = Exit(self._trial.id, order["attempt"], None, lost=True)
            if not any(last for _, _, last in before):
                sent = max((piece[1] for _, piece, _ in before if piece is not None), default=0)
                self._put(self._places.end(order["name"]), self._record(end, sent, {"logs": [], "checkpoints": []}))
            return end
        self._put(self._places.beginning(order["name"]), b"")
        config = read_config(experiment)
        self._files.path.mkdir(parents=True, exist_ok=True)
        if order["checkpoint"] is not None:
            self._restore(order["checkpoint"])
        program = Program(config, self._files, config.randomness)
        mirror = AttemptMirror(
            self._trial.id,
            order["attempt"],
            files=self._files,
            benchmark=config.benchmark,
            outlet=self,
            interval=INTERVAL,
            sync_seconds=order["sync_seconds"],
        )
        with mirror.running():
            end = self._attend(LocalBackend.for_program(program), mirror)
        left = {"logs": mirror.finish(), "checkpoints": mirror.checkpoints}
        self._put(self._places.end(order["name"]), self._record(end, mirror.sent, left))
        return end

    def _before(self) -> list[tuple[str, tuple[int, int] | None, bool]]:
        """What the attempt has left on S3 before: nothing, unless it began on another machine."""
        prefix = f"{self._places.live}{self._order['name']}/"
        found = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._order["bucket"], Prefix=prefix)
        keys = [live_key(item["Key"], self._places.live) for page in found for item in page.get("Contents", ())]
        return [key for key in keys if key is not None]

    def _restore(self, key: str) -> None:
        folder = self._files.checkpoint(self._trial.id)
        folder.parent.mkdir(parents=True, exist_ok=True)
        archive = folder.with_name("restored.tar")
        self._s3.download_file(self._order["bucket"], key, str(archive))
        unpack(archive, folder)
        archive.unlink()

    def _attend(self, backend: LocalBackend, mirror: AttemptMirror) -> Exit:
        self._backend = backend
        asked = False
        try:
            backend.start(self._trial, self._order["attempt"], self._order["until"])
            while True:
                if self._stopped and not asked:
                    asked = True
                    backend.stop(self._trial.id)
                for event in backend.wait(mirror.due()):
                    if isinstance(event, Exit):
                        return event
                mirror.follow()
        finally:
            self._backend = None
            backend.close()

    def _record(self, end: Exit, sent: int, more: dict[str, Any]) -> bytes:
        content = end._asdict() | {
            "usage": dict(end.usage),
            "log": None,
            "stopped": self._stopped,
            "bytes": sent,
            **more,
        }
        return json.dumps(content, default=str).encode()

    # ------------------------------------------------------------------ an outlet of its mirror

    def send(self, start: int, piece: bytes) -> None:
        """As an object that is written once."""
        self._put(self._places.piece(self._order["name"], start, start + len(piece)), piece)

    def save(self, number: int, position: int, archive: Path) -> str:
        """Returns its key."""
        name = StoredCheckpoint.name(self._order["attempt"], number, position)
        key = self._places.checkpoints(self._trial.id) + name
        self._put(key, archive)
        return key

    def remove(self, name: str) -> None:
        """By its key."""
        self._s3.delete_object(Bucket=self._order["bucket"], Key=name)

    def leave(self, name: str, content: bytes) -> None:
        """As an object."""
        self._put(self._places.log(self._order["name"], name), content)

    def _put(self, key: str, body: bytes | Path) -> None:
        """Write an object, however long S3 cannot be reached: the service ends the job if it may not go on.

        Raises:
            HPOError: the job may not write there.
            OSError: a file cannot be read.
        """
        bucket, encryption = self._order["bucket"], self._order["encryption"]
        while True:
            try:
                with aws_errors_as_sentence(f"s3://{bucket}/{key}", group="backend"):
                    if isinstance(body, Path):
                        self._s3.upload_file(str(body), bucket, key, ExtraArgs=encryption)
                    else:
                        self._s3.put_object(Bucket=bucket, Key=key, Body=body, **encryption)
                return
            except HPOError as error:
                if code_of(error.__cause__ or error) in ("AccessDenied", "NoSuchBucket", "403", "404"):
                    raise
                log.warning("%s; trying again", error)
            time.sleep(2.0)


def main(given: Path = ML / "input" / "data", work: Path = WORK) -> int:
    """Run the job's attempt. Returns the exit code: 0 where the attempt ended well, or was asked to end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    order = json.loads((given / "order" / "order.json").read_text())
    try:
        slot = JobSlot(order, work)
        signal.signal(signal.SIGTERM, slot.stop)
        end = slot.run(given / "experiment" / "experiment.yaml")
    except HPOError as error:
        print_error(error)
        write_failure(str(error))
        return 1
    if end.exit_code == 0 or end.lost or end.signal == signal.SIGTERM:
        return 0
    write_failure(f"trial {end.trial_id}: {(end.error or 'no message').splitlines()[-1]}")
    return 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # a thread that still uploads an older checkpoint is not waited for
