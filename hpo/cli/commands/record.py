"""`hpo record`: a benchmark's grid, trained for real and recorded as a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from hpo.cli.commands.app import ConfigDirs, Option, Word, as_arguments, verb
from hpo.cli.commands.compare import Steered


@verb()
def record(
    output: Annotated[Path, Word("OUTPUT", "Table to write: OUTPUT.yaml and OUTPUT.npz.")],
    overrides: Annotated[Sequence[str], Word("KEY=VALUE...", "As for a run: benchmark=…, num_seeds=…, n_workers=…")],
    config_dir: ConfigDirs = (),
    seconds: Annotated[
        str | None,
        Option("Metric with a training's elapsed seconds; measured by the clock if not given.", metavar="METRIC"),
    ] = None,
    include_steered: Steered = False,
) -> None:
    """Train a benchmark's grid for real, once per seed, and record a table for simulations. Resumable."""
    from hpo.cli import recording

    recording.record(output, as_arguments(overrides, config_dir), seconds=seconds, include_steered=include_steered)
