"""`hpo record`: a GRID experiment per seed, then their table."""

from collections.abc import Sequence
from pathlib import Path

from hpo import cli
from hpo.errors import ExperimentError
from hpo.progress import say
from hpo.results import find_experiments
from hpo.tables.record import table_of

UNLIMITED = "max_wallclock_time=1.0e9"


def record(output: Path, overrides: Sequence[str]) -> None:
    """Record the grid of the benchmark that `overrides` compose into OUTPUT.yaml and OUTPUT.npz.

    Raises:
        ExperimentError: a training could not be done; run it again to go on.
        HPOError: from the experiments.
    """
    tag = f"record-{output.name}".replace("_", "-")
    fixed = ["method=GRID", "backend=local", UNLIMITED, f"experiment_tag={tag}", "benchmark.points_to_evaluate=[]"]
    if not any(word.startswith("random_seed=") for word in overrides):
        fixed.append("random_seed=0")
    if cli.main([*overrides, *fixed]) != 0:
        raise ExperimentError(
            f"not all of the grid could be trained; see outputs/{tag}, mend it and run the command again"
        )
    command = " ".join(["hpo record", str(output), *overrides])
    table = table_of(find_experiments(tag), output.name, f"recorded by: {command}")
    output.parent.mkdir(parents=True, exist_ok=True)
    table.save(output)
    rows, seeds, resources = table.seconds.shape
    say(f"{output}.npz: {rows} configurations x {seeds} trainings x {resources}; best final value {table.optimum:.6g}")
