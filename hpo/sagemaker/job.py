"""The program inside a SageMaker job, after the bootstrap: restores the state, runs `hpo.remote`, and keeps the state.

/opt/ml/input/data/experiment/experiment.yaml     the experiment, and warm_start.jsonl if it starts from earlier results
/opt/ml/hpo/experiment/                           the experiment's directory
/opt/ml/checkpoints/                              its mirror, which the service copies to S3 and restores
/opt/ml/output/failure                            why it failed
"""

import json
import logging
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hpo.config.reading import read_config, to_yaml
from hpo.config.schema import ExperimentConfig
from hpo.errors import HPOError, print_error
from hpo.events.callback import Callback
from hpo.events.state import ExperimentState
from hpo.events.types import Event, Kind
from hpo.experiment.signals import asked_to_end, leave
from hpo.launchers.job_entry import FAILED, run
from hpo.sagemaker.bootstrap import ML, WORK, write_failure
from hpo.sagemaker.instances import Instances, cluster_of_instances, follow
from hpo.sagemaker.mirror import CLUSTER_LOG, Mirror, Restored
from hpo.sagemaker.training import IDENTITY
from hpo.sagemaker.tuning_metrics import TuningMetrics, nonce_of
from hpo.store.atomic_files import write_atomically
from hpo.store.directory import ExperimentDirectory

log = logging.getLogger("hpo.sagemaker.job")  # also where this module is __main__

PULSE = ".reports"
PULSE_EVERY = 0.2


class Pulse(Callback):
    """A callback that writes the number of reports to a file that the service uploads.

    A successor of the job sees by it how many reports a copy lacks.

    Args:
        kept: Folder that the service uploads.
    """

    def __init__(self, kept: Path) -> None:
        self._path = kept / PULSE
        self._state: ExperimentState | None = None
        self._written = 0.0

    def on_open(self, state: ExperimentState) -> None:
        """Keep the state, whose reports are counted from now on."""
        self._state = state

    def on_event(self, event: Event) -> None:
        """Write the number of reports, at most once per interval."""
        now = time.monotonic()
        if event.kind == Kind.REPORTED and self._state is not None and now - self._written > PULSE_EVERY:
            self._written = now
            temporary = self._path.with_name(f"{PULSE}.tmp")
            temporary.write_text(str(self._state.reports))  # not synced to the disk: this is for information only
            temporary.replace(self._path)


class MadeAgain(Callback):
    """A callback that counts the reports that resumed trials repeat, and logs the count at the end.

    Args:
        restored: State that the job found.
        directory: The experiment's directory.
        lost: Number of reports made after the copy from which the job resumes.
    """

    def __init__(self, restored: Restored, directory: Path, lost: int) -> None:
        self._restored = restored
        self._directory = directory
        self._lost = lost
        self._attempts: dict[tuple[int, int], int] = {}

    def on_open(self, state: ExperimentState) -> None:
        """Log the state from which the job resumes."""
        found = self._restored
        log.info(
            "resumed from a copy %.1f s old with %d trials and %d reports, at least %d fewer than were made: unfinished "
            "trials %s resume from checkpoints, %s start over",
            found.age,
            found.trials,
            found.reports,
            self._lost,
            found.from_checkpoint,
            found.from_scratch,
        )

    def on_event(self, event: Event) -> None:
        """Count the new reports of each attempt of this session."""
        if event.trial is None or event.attempt is None:
            return
        key = event.trial, event.attempt
        if event.kind in (Kind.RESTARTED, Kind.RESUMED):
            self._attempts.setdefault(key, 0)
        elif event.kind in (Kind.REPORTED, Kind.DROPPED) and key in self._attempts:
            self._attempts[key] += 1

    def on_close(self) -> None:
        """Log how many reports were repeated."""
        again = 0
        for (trial, attempt), news in self._attempts.items():
            path = self._directory / "trials" / str(trial) / f"attempt_{attempt}" / "reports.jsonl"
            if path.is_file():
                again += path.read_bytes().count(b"\n") - news
        log.info("at least %d known and %d lost reports were made again after the interruption", again, self._lost)


def lost_reports(kept: Path, restored: Restored) -> int:
    """Return how many reports the predecessor made that were not restored; it may have made a few more."""
    try:
        return max(int((kept / PULSE).read_text()) - restored.reports, 0)
    except (OSError, ValueError):
        return 0


def main(
    given: Path = ML / "input" / "data" / "experiment" / "experiment.yaml",
    work: Path = WORK,
    kept: Path = ML / "checkpoints",
) -> int:
    """Run the job's experiment. Returns the exit code."""
    signal.signal(signal.SIGTERM, leave)
    directory = work / "experiment"
    kept.mkdir(parents=True, exist_ok=True)
    try:
        instances = Instances.read()
        if not instances.leads:
            return follow(instances)
        experiment = read_config(given)
        mirror = Mirror(directory, kept, float(experiment.launcher.get("sync_seconds", 30.0)))
        restored = mirror.restore()
        if experiment.warm_start:
            copy = ExperimentDirectory(directory).warm_start
            directory.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(given.with_name(copy.name), copy)
    except (HPOError, OSError) as error:
        print_error(error)
        write_failure(str(error))
        return FAILED
    config = work / "experiment.yaml"
    # The launcher of an overwriting call has removed the old results; here overwrite would undo the job's own beginning.
    write_atomically(config, to_yaml(replace(experiment, overwrite=False)).encode())

    def callbacks(config: ExperimentConfig) -> Sequence[Callback]:
        made: list[Callback] = [Pulse(kept)]
        if restored is not None:
            made.append(MadeAgain(restored, directory, lost_reports(kept, restored)))
        if config.remote_tuning_metrics:
            parameters = json.loads((ML / "input" / "config" / "hyperparameters.json").read_text())
            made.append(TuningMetrics(config, nonce_of(str(parameters[IDENTITY]))))
        return made

    directory.mkdir(parents=True, exist_ok=True)
    with mirror.running():
        try:
            with cluster_of_instances(experiment, instances, directory / CLUSTER_LOG):
                if (came := asked_to_end()) is not None:
                    leave(came, None)
                code = run(config, directory, callbacks=callbacks, on_failure=write_failure)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the last copy is already on its way
        except HPOError as error:
            print_error(error)
            write_failure(str(error))
            return FAILED
    return code


if __name__ == "__main__":
    sys.exit(main())
