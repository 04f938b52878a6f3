"""`hpo record`: a benchmark's grid, trained into a table."""

from pathlib import Path
from typing import Annotated

import typer

from hpo.cli.verbs.app import ConfigDirs, app, as_arguments
from hpo.cli.verbs.compare import Steered


@app.command()
def record(
    output: Annotated[Path, typer.Argument(help="The table to make: OUTPUT.yaml and OUTPUT.npz.")],
    overrides: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE...", help="As for a run: benchmark=…, num_seeds=…, n_workers=…")
    ],
    config_dir: ConfigDirs = None,
    include_steered: Steered = False,
) -> None:
    """Train a benchmark's grid for real, once per seed, into a table for simulations. Resumable."""
    from hpo.cli import recording

    recording.record(output, as_arguments(overrides, config_dir), include_steered=include_steered)
