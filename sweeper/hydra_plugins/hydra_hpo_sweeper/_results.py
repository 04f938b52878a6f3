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
    best = [read_plain(path) for path in (ExperimentDirectory(found).best for found in experiments) if path.is_file()]
    places = ", ".join(map(str, experiments))
    if not best:
        log.info("No result is here yet; `hpo status %s` says more", directory)
        return None
    metric, better = benchmark["metric"], max if benchmark["mode"] == "max" else min
    found = better(best, key=lambda result: float(result[metric]))
    raw = {name for name, domain in benchmark["config_space"].items() if domain.get("argument", "").endswith("=")}
    content = {
        "name": "hpo",
        "best_evaluated_params": {
            name: value_of(value) if name in raw else value for name, value in found["configuration"].items()
        },
        "best_evaluated_result": found[metric],
    }
    (directory / RESULTS).write_text(dump_verbatim(content))
    log.info("Best %s: %s; the search lies in %s", metric, found[metric], places)
    return content
