"""Figures into files: one by its name, or all there are."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hpo.analysis.comparison import Comparison
from hpo.analysis.method_comparison import compare
from hpo.errors import ConfigError
from hpo.figures import plots
from hpo.figures.matplotlib_drawing import styled
from hpo.results.experiment import Experiment, load_experiment
from hpo.store.experiment_paths import find_experiments

logger = logging.getLogger(__name__)

FORMATS = ("pdf", "svg", "png")
UNDATED = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}, ".png": None}
"""Metadata without the time, so that the same experiments give the same file."""

OF_EXPERIMENT: Mapping[str, Callable[..., Any]] = {
    "anytime": plots.anytime,
    "front": plots.front,
    "hypervolume": plots.hypervolume,
    "curves": plots.curves,
    "rungs": plots.rungs,
    "workers": plots.workers,
    "importance": plots.importance,
    "parallel": plots.parallel,
    "slices": plots.slices,
}
LIMITED = ("anytime", "front", "curves", "parallel", "slices")
"""Those of an experiment that have an axis for its metric, on which what is far out can be shown or marked at the edge."""
OF_COMPARISON: Mapping[str, Callable[..., Any]] = {
    "anytime": plots.regret,
    "ranks": plots.ranks,
    "seeds": plots.seeds,
    "attained": plots.attained,
    "differences": plots.differences,
}
OF_ONE_OBJECTIVE = ("anytime",)
"""What an experiment with several has not."""
OF_SEVERAL = ("front", "hypervolume", "attained")
"""What there is of several objectives alone."""


def subject_of(place: str | Path, **keys: Any) -> Experiment | Comparison:
    """What a directory or tag has figures of: its one experiment, or the comparison of several.

    Args:
        place: a directory, or a tag under outputs/.
        keys: for `compare`.
    """
    found = find_experiments(place)
    return load_experiment(found[0]) if len(found) == 1 else compare([place], **keys)


def figures_of(subject: Experiment | Comparison) -> Mapping[str, Callable[..., Any]]:
    """The figures there are of an experiment or a comparison, by name."""
    if isinstance(subject, Experiment):
        left_out = OF_ONE_OBJECTIVE if subject.state.objective.aims else OF_SEVERAL
        return {name: plot for name, plot in OF_EXPERIMENT.items() if name not in left_out}
    several = any(run.measure is not None for scored in subject.scored for run in scored.block.loaded)
    return {name: plot for name, plot in OF_COMPARISON.items() if several or name not in OF_SEVERAL}


def save(
    subject: Experiment | Comparison,
    name: str,
    path: str | Path,
    benchmark: str | None = None,
    *,
    all_values: bool = False,
) -> Path:
    """Draw one figure into a file; its ending says the format. `all_values`: also those far from all others.

    Raises:
        ConfigError: there is no such figure or format, or nothing to draw.
    """
    known = figures_of(subject)
    if name not in known:
        what = "an experiment" if isinstance(subject, Experiment) else "a tag of several experiments"
        raise ConfigError(f"--figure {name}: of {what} there are {', '.join(known)}; choose one of them")
    target = Path(path)
    if target.suffix[1:] not in FORMATS:
        raise ConfigError(f"--output {target}: end the name in {', '.join('.' + end for end in FORMATS)}")
    if isinstance(subject, Experiment) and not subject.state.reports:
        raise ConfigError(f"{subject.directory}: no trial has reported yet, there is nothing to draw")
    keys: dict[str, Any] = {} if benchmark is None else {"benchmark": benchmark}
    if isinstance(subject, Experiment) and name in LIMITED:
        keys["all_values"] = all_values
    drawn = known[name](subject, **keys)
    figure = getattr(drawn, "figure", None) or drawn
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with styled():
            figure.savefig(target, metadata=UNDATED[target.suffix])
    except OSError as error:
        raise ConfigError(f"--output {target}: cannot be written ({error.strerror}); name another file") from error
    return target


def save_all(
    place: str | Path | Experiment | Comparison, folder: str | Path, format: str = "pdf", *, all_values: bool = False
) -> list[Path]:
    """Draw all figures there are into a folder, of several benchmarks each. `all_values`: as for `save`.

    Raises:
        ConfigError: the format is unknown, or nothing could be drawn.
    """
    subject = place if isinstance(place, Experiment | Comparison) else subject_of(place)
    if format not in FORMATS:
        raise ConfigError(f"--format {format}: use {', '.join(FORMATS)}")
    paths = []
    if isinstance(subject, Comparison):
        benchmarks = [scored.block.benchmark for scored in subject.scored]
        measured = {scored.block.benchmark for scored in subject.scored if scored.block.loaded[0].measure is not None}
        drawn = [
            (name, None if name == "differences" else one)
            for one in benchmarks
            for name in figures_of(subject)
            if one in measured or name not in OF_SEVERAL
        ]
        for name, benchmark in dict.fromkeys(drawn):  # of differences there is one for all benchmarks
            whose = f"-{benchmark}" if benchmark is not None and len(benchmarks) > 1 else ""
            paths.append(save(subject, name, Path(folder) / f"{name}{whose}.{format}", benchmark))
        return paths
    for name in figures_of(subject):
        try:
            paths.append(save(subject, name, Path(folder) / f"{name}.{format}", all_values=all_values))
        except ConfigError as error:
            if name != "importance":
                raise
            logger.warning("%s", error)  # with few trials there is none; the other figures are drawn
    return paths
