"""Composing the experiments of one command line with Hydra's compose API: what its multirun does, each group choice once.

Hydra's own multirun composes the configuration three times before the first job and twice per job. Here a configuration
is composed once per choice of groups; seeds and other plain values are then set in it, which gives the same result, for
value overrides are what composition applies last. Command lines that ask Hydra for more (--help, --cfg, other sweepers
or launchers) are left to Hydra.
"""

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
