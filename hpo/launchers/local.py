"""The local launcher, which runs an experiment in this process and shows its progress."""

from pathlib import Path

from hpo.config.schema import ExperimentConfig
from hpo.errors import ExperimentError
from hpo.experiment.run import conduct
from hpo.launchers.base import Launcher
from hpo.watching.plain_lines import say
from hpo.watching.progress import progress_display, summary


class LocalLauncher(Launcher):
    """A launcher that runs the experiment in this process; its trials are processes on this machine."""

    runs_here = True

    def launch(self, experiment: ExperimentConfig, output_dir: Path) -> int:
        """Run the experiment to its end, or until a signal; see `Launcher.launch`."""
        outcome = conduct(experiment, output_dir, callbacks=[progress_display(experiment, output_dir)])
        say(summary(outcome.config, outcome.state, outcome.directory, outcome.reason, outcome.skipped))
        if outcome.failure is not None:
            raise ExperimentError(outcome.failure)
        return 128 + outcome.signal if outcome.signal is not None else 0
