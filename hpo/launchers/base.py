"""What every launcher is."""

from abc import ABC, abstractmethod
from pathlib import Path

from hpo.config import ExperimentConfig


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
