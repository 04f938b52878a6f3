"""What every launcher is: it takes a composed experiment, the job, to where that runs."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from hpo.config.schema import ExperimentConfig


@dataclass(frozen=True)
class Job:
    """One composed experiment."""

    config: ExperimentConfig
    output_dir: Path
    sweep_dir: Path


class Launcher(ABC):
    """Runs an experiment, or has it run elsewhere."""

    @abstractmethod
    def launch(self, experiment: ExperimentConfig, output_dir: Path) -> int:
        """Launch one experiment whose results belong in `output_dir`.

        Returns:
            An exit code: 0 complete or submitted, 128 + n interrupted by signal n.

        Raises:
            HPOError: one sentence that says what is wrong and what to do.
        """
