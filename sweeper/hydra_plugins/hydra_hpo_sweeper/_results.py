"""What a search has come to, as Hydra's sweepers write it."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra_plugins.hydra_hpo_sweeper._domains import value_of

from hpo.config.yaml_files import dump_verbatim, read_plain
from hpo.store.directory import ExperimentDirectory
from hpo.store.experiment_paths import find_experiments

log = logging.getLogger(__name__)

RESULTS = "optimization_results.yaml"


def write_results(directory: Path, benchmark: Mapping[str, Any]) -> dict[str, Any] | None:
    """Write optimization_results.yaml, and say where the search lies.

    Args:
        directory: of the sweep.
        benchmark: that the app was.

    Returns:
        The file's content; None where no result is here yet, as while jobs run elsewhere.
    """
    experiments = find_experiments(directory)
    if benchmark.get("objectives"):
        return _write_front(directory, benchmark)
    best = [read_plain(path) for path in (ExperimentDirectory(found).best for found in experiments) if path.is_file()]
    places = ", ".join(map(str, experiments))
    if not best:
        log.info("No result is here yet; `hpo status %s` says more", directory)
        return None
    metric, better = benchmark["metric"], max if benchmark["mode"] == "max" else min
    found = better(best, key=lambda result: float(result[metric]))
    content = {
        "name": "hpo",
        "best_evaluated_params": _read_back(found["configuration"], benchmark),
        "best_evaluated_result": found[metric],
    }
    (directory / RESULTS).write_text(dump_verbatim(content))
    log.info("Best %s: %s; the search lies in %s", metric, found[metric], places)
    return content


def _write_front(directory: Path, benchmark: Mapping[str, Any]) -> dict[str, Any] | None:
    """Write the Pareto front, as the Optuna sweeper writes it."""
    fronts = (ExperimentDirectory(found).front for found in find_experiments(directory))
    points = [point for path in fronts if path.is_file() for point in read_plain(path)]
    if not points:
        log.info("No result is here yet; `hpo status %s` says more", directory)
        return None
    names = list(benchmark["objectives"])
    solutions = [
        {
            "params": _read_back(point["configuration"], benchmark),
            "values": [point[name] for name in names],
        }
        for point in points
    ]
    content = {"name": "hpo", "solutions": solutions}
    (directory / RESULTS).write_text(dump_verbatim(content))
    log.info("Pareto front of %s: %s points; the search lies in %s", ", ".join(names), len(points), directory)
    return content


def _read_back(configuration: Mapping[str, Any], benchmark: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration whose values are those that the app had, lists and mappings included."""
    space = benchmark["config_space"]
    raw = {name for name, domain in space.items() if domain.get("argument", "").endswith("=")}
    return {name: value_of(value) if name in raw else value for name, value in configuration.items()}
