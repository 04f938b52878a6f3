"""`write_report`: from a directory or tag to report.html."""

from pathlib import Path

from hpo.analysis.comparison import Comparison
from hpo.analysis.loading import load_runs
from hpo.analysis.method_comparison import compare
from hpo.errors import ConfigError
from hpo.reports.experiment_page import experiment_page
from hpo.reports.tag_page import NAME, tag_page
from hpo.results.experiment import load_experiment
from hpo.store.atomic_files import write_atomically
from hpo.store.experiment_paths import find_experiments, folder_of


def write_report(
    place: str | Path,
    output: str | Path | None = None,
    *,
    baseline: str | None = None,
    metric_budget: tuple[float | None, float | None] = (None, None),
    score: str = "anytime",
    include_incomplete: bool = False,
    include_steered: bool = False,
    unpaired: bool = False,
) -> Path:
    """Write the report of an experiment, or of all experiments of a tag.

    Args:
        place: a directory, or a tag under outputs/.
        output: the file; None: report.html in that directory.
        baseline: of a tag's comparison; see `hpo.analysis.compare`, as for the next five.
        metric_budget: elapsed seconds from which, and up to which, experiments are compared.
        score: what the verdict goes by.
        include_incomplete: compare experiments as far as they got.
        include_steered: compare those in which somebody took part, too.
        unpaired: compare methods with different random_seeds.

    Returns:
        the file.

    Raises:
        StoreError: there is no experiment, or one is damaged.
        ConfigError: an option of the comparison is wrong, or the output cannot be written.
    """
    found = find_experiments(place)
    base = folder_of(place)
    target = base / NAME if output is None else Path(output)
    if target.is_dir():
        raise ConfigError(f"--output {target}: this is a directory; name a file in it, such as {target / NAME}")
    if len(found) == 1:
        text = experiment_page(load_experiment(found[0]), target)
    else:
        runs, warnings = load_runs([base])
        try:
            comparison: Comparison | str = compare(
                [base],
                baseline=baseline,
                metric_budget=metric_budget,
                score=score,
                include_incomplete=include_incomplete,
                include_steered=include_steered,
                unpaired=unpaired,
                loaded=(runs, warnings),
            )
        except ConfigError as error:
            if str(error).startswith(("baseline=", "metric_budget=", "score=")):
                raise
            comparison = str(error)
        text = tag_page(base.name or str(place), runs, warnings, comparison, target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, text.encode(errors="replace"))
    except OSError as error:
        raise ConfigError(f"--output {target}: cannot be written ({error.strerror}); name another file") from error
    return target
