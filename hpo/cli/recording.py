"""`hpo record`: a benchmark's grid, trained for real once per seed, and the table of the trials' reports.

Each seed is one experiment with the method GRID, so that recording is resumable and parallel like any experiment. Its
trials get the training seeds that real experiments with the same master seed and seed number give theirs: a simulated
experiment with these seeds then sees exactly what a real one would.
"""

from collections.abc import Sequence
from pathlib import Path

from hpo.cli import run as cli
from hpo.cli.composition import is_plain
from hpo.config.reading import resolve
from hpo.config.schema import ExperimentConfig
from hpo.errors import ExperimentError
from hpo.exporting.grid_table import table_of
from hpo.results.experiment import load_experiment
from hpo.schedulers.construction import scheduler_of
from hpo.searchers import GridSearcher
from hpo.store.experiment_paths import find_experiments
from hpo.tables.table import Table
from hpo.watching.plain_lines import say

UNLIMITED = "max_wallclock_time=1.0e9"


def record(
    output: Path, overrides: Sequence[str], *, seconds: str | None = None, include_steered: bool = False
) -> None:
    """Record the grid of the benchmark that `overrides` compose into OUTPUT.yaml and OUTPUT.npz.

    Args:
        output: Path of the table, without suffix.
        overrides: Overrides as for a run.
        seconds: Metric that holds a training's elapsed seconds, instead of the clock.
        include_steered: Whether to accept experiments that were steered, too.

    Raises:
        ExperimentError: A training failed; the same command resumes.
        HPOError: An experiment cannot be run.
    """
    tag = f"record-{output.name}".replace("_", "-")
    fixed = ["method=GRID", "backend=local", UNLIMITED, f"experiment_tag={tag}", "benchmark.points_to_evaluate=[]"]
    if not any(word.startswith("random_seed=") for word in overrides):
        fixed.append("random_seed=0")
    _announce(output, [*overrides, *fixed])
    if cli.main([*overrides, *fixed]) != 0:
        raise ExperimentError(
            f"not all of the grid could be trained; see outputs/{tag}, fix it and run the command again"
        )
    told = [] if seconds is None else [f"--seconds={seconds}"]
    provenance = " ".join(["recorded by: hpo record", str(output), *overrides, *told])
    experiments = [load_experiment(place) for place in find_experiments(tag)]
    table = table_of(experiments, output.name, provenance, seconds=seconds, include_steered=include_steered)
    output.parent.mkdir(parents=True, exist_ok=True)
    table.save(output)
    rows, seeds, resources = table.seconds.shape
    best = best_in_words(table, experiments[0].config)
    say(f"{output}.npz: {rows} configurations x {seeds} trainings x {resources}; {best}")


def best_in_words(table: Table, config: ExperimentConfig) -> str:
    """Describe the best result of a table, or the size of its Pareto front."""
    if not config.objective.aims:
        return f"best final value {table.optimum:.6g}"
    front = table.front({aim.metric: aim.mode for aim in config.objective.aims})
    return f"{len(front)} of them are on the Pareto front of final values"


def _announce(output: Path, arguments: Sequence[str]) -> None:
    """Print how much will be trained: a grid grows exponentially with the number of hyperparameters.

    Raises:
        ConfigError: An override is wrong.
    """
    if not is_plain(arguments):
        return  # with Hydra's own sweepers and launchers the experiments are unknown here
    configs = [resolve(job.config) for job in cli.compose_jobs(arguments)]
    searcher = scheduler_of(configs[0]).searcher
    if not isinstance(searcher, GridSearcher):
        return  # the user's own method named GRID
    grid, limit = searcher.grid_size, configs[0].max_num_trials

    cut = f", of which max_num_trials={limit} are trained" if limit is not None and limit < grid else ""
    say(
        f"{output}: {len(configs) * min(grid, limit or grid):,} trainings in all: {grid:,} configurations x {len(configs)} "
        f"seed(s){cut}; for fewer lower method.searcher.num_samples={configs[0].method.searcher.get('num_samples')}, the "
        f"values per numeric hyperparameter, or list values with type: ordinal"
    )
