"""`python -m tests.golden.record texts`, or `decisions METHOD …`: see the package."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import hpo
from tests.golden import files
from tests.golden.making import (
    BENCHMARKS,
    DECIDING,
    METHODS,
    SEEDS,
    benchmarks_of,
    decisions_of,
    key_of,
    log_of,
    numbers_of_report,
    plans,
    rounded,
    sample,
    scripted,
    simulate,
    texts_of,
)


def record_decisions(methods: list[str]) -> None:
    """Add the decisions of methods that are not recorded yet."""
    path = files.HERE / "decisions.json.xz"
    known: dict[str, Any] = files.read("decisions") if path.is_file() else {}
    with tempfile.TemporaryDirectory() as folder:
        for method in methods:
            for benchmark in benchmarks_of(method):
                for seed in SEEDS:
                    key = key_of(benchmark, method, seed)
                    if key in known:
                        sys.exit(f"{method} is recorded: a method's decisions do not change; give the new one a name")
                    directory = simulate(Path(folder), benchmark, method, seed)
                    known[key] = decisions_of(hpo.load_experiment(directory).events)
            known[f"scripted {method}"] = rounded(log_of(scripted(method)))
    files.write("decisions", known)


def record_texts() -> None:
    """Record all texts anew."""
    content: dict[str, Any] = {"experiments": {}, "reports": {}, "comparisons": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for benchmark in BENCHMARKS:
            for method in METHODS:
                for seed in SEEDS:
                    directory = simulate(folder, benchmark, method, seed)
                    content["experiments"][key_of(benchmark, method, seed)] = texts_of(directory)
                    if benchmark == sample(method) and seed == SEEDS[0]:
                        content["reports"][method] = numbers_of_report(directory)
            content["comparisons"][benchmark] = numbers_of_report(folder / "golden" / benchmark)
        content["plans"] = dict(plans(folder))
    files.write("texts", content)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["texts"]:
            record_texts()
        case ["decisions", *methods]:
            record_decisions(methods or [*METHODS, *DECIDING])
        case _:
            sys.exit(__doc__)
