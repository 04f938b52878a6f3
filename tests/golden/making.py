"""The experiments that are recorded, and what of them is compared."""

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import hpo
from hpo.reports import write_report
from tests.support.fakes import Crash, FakeExperiment, Lose, Say

METHODS = (
    "RS",
    "SOBOL",
    "GRID",
    "BO",
    "ASHA",
    "ASHA-STOP",
    "ASHA-GP",
    "HYPERBAND",
    "HYPERTUNE",
    "MOBSTER",
    "MOBSTER-INDEP",
    "SYNC-HYPERBAND",
    "SYNC-MOBSTER",
)
"""All but BOTORCH, CQR and ASHA-CQR, whose decisions are those of a library that changes, and those in DECIDING."""
SEVERAL = ("MO-ASHA", "MO-ASHA-GP", "MO-BO", "NSGA-II")
DECIDING = (
    "PRIORBAND",
    "TPE",
    "ASHA-TPE",
    "BOHB",
    "MEDIAN",
    "BO-MEDIAN",
    "REA",
    "CMA-ES",
    "PASHA",
    "DEHB",
    "ASHA-GP-TIME",
    *SEVERAL,
)
"""Methods of which the decisions alone are recorded, on two benchmarks; texts are made as those of the others."""
BENCHMARKS = (
    "fcnet_protein_structure",
    "generated_typical",
    "hpobench_australian",
    "mlp_digits_grid",
    "nasbench201_cifar100",
)
DECIDED = ("fcnet_protein_structure", "generated_typical")
DECIDED_OF_SEVERAL = ("fcnet_protein_structure_objectives", "nasbench201_cifar100_objectives")
SEEDS = (0, 1)
RANDOM_SEED = 20261126
MAX_NUM_TRIALS = 30
FAULTS = {
    1: [Crash(2)],
    2: [Lose(1)],
    3: [Say({"error": float("nan"), "epoch": 1})],
    5: [Crash(1, exit_code=None, signal=9)],
    6: [Say({"error": "high", "epoch": 1})],
}
"""What goes wrong in the experiments on a scripted backend, by trial."""


def benchmarks_of(method: str) -> tuple[str, ...]:
    """Those on which a method is recorded."""
    if method in METHODS:
        return BENCHMARKS
    return DECIDED_OF_SEVERAL if method in SEVERAL else DECIDED


def key_of(benchmark: str, method: str, seed: int) -> str:
    """The name of a recorded experiment."""
    return f"{benchmark} {method} {seed}"


def rounded(value: Any) -> Any:
    """Floats to six significant digits: another processor may differ in the last ones."""
    if isinstance(value, float):
        return value if value != value else float(f"{value:.6g}")
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value


def digest(value: Any) -> str:
    """Of a value that JSON has."""
    return hashlib.sha256(json.dumps(rounded(value), sort_keys=True).encode()).hexdigest()[:16]


def simulate(folder: Path, benchmark: str, method: str, seed: int) -> Path:
    """Run one experiment under folder/benchmark/method/seed_N, as a sweep would place it."""
    directory = folder / "golden" / benchmark / method / f"seed_{seed}"
    config = hpo.load_config(
        benchmark,
        method,
        seed=seed,
        experiment_tag="golden",
        random_seed=RANDOM_SEED,
        max_num_trials=MAX_NUM_TRIALS,
        backend={"name": "simulated"},
        **({"method.searcher.population_size": 10} if method == "NSGA-II" else {}),
    )
    hpo.run_experiment(config, directory)
    return directory


def scripted(method: str) -> list[Any]:
    """The events of an experiment on a scripted backend, in which trials fail in several ways."""
    experiment = FakeExperiment(method, seed=3, backend={"faults": FAULTS, "late_reports": 1}, n_workers=3)
    experiment.run()
    return experiment.log.events


def decisions_of(events: Iterable[Any]) -> list[Any]:
    """What the scheduler decided: a row for each suggestion and each decision on a report."""
    rows: list[Any] = []
    for event in events:
        body = event.body
        if event.kind == "started":
            rows.append(["start", event.trial, rounded(body["configuration"]), body["until"]])
        elif event.kind == "resumed":
            rows.append(["resume", event.trial, body["until"]])
        elif event.kind == "reported":
            rows.append([event.trial, event.resource, body["decision"]])
    return rows


def log_of(events: Iterable[Any]) -> list[Any]:
    """Every event but notes, which replay ignores."""
    return [
        [str(event.kind), event.elapsed, event.time, event.trial, event.attempt, event.resource, dict(event.body)]
        for event in events
        if event.kind not in ("noted", "opened")
    ]


def sample(method: str) -> str:
    """The benchmark on which a method's report (of the first seed) and plan are compared."""
    return BENCHMARKS[METHODS.index(method) % len(BENCHMARKS)]


def texts_of(directory: Path) -> dict[str, Any]:
    """What is made from the log of one experiment."""
    with zipfile.ZipFile(directory / "results.csv.zip") as archive:
        rows = archive.read("results.csv").decode().splitlines()
    cells = [[_number(cell) for cell in row.split(",")] for row in rows]
    return {
        "events": digest(log_of(hpo.load_experiment(directory).events)),
        "columns": rows[0],
        "results": digest(cells),
        "best": [rounded(_number(word)) for word in re.split(r"([\s:,\]}]+)", (directory / "best.yaml").read_text())],
    }


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def numbers_of_report(place: Path) -> dict[str, Any]:
    """The data of all figures and tables of a report."""
    page = write_report(place).read_text()
    found = {
        name: json.loads(re.search(f'<script type="application/json" id="{name}">(.*?)</script>', page, re.S)[1])  # type: ignore[index]
        for name in ("charts", "tables")
    }
    return {name: {part["name"]: rounded(part) for part in parts} for name, parts in found.items()}


def plans(folder: Path) -> Iterator[tuple[str, str]]:
    """What `hpo plan` says of each benchmark with its share of the methods."""
    for benchmark in BENCHMARKS:
        methods = [method for method in METHODS if sample(method) == benchmark]
        words = [f"benchmark={benchmark}", f"method={','.join(methods)}", "num_seeds=2", "experiment_tag=planned"]
        words += [f"random_seed={RANDOM_SEED}", "backend=simulated"]
        command = [sys.executable, "-m", "hpo", "plan", *words]
        said = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
        yield benchmark, _of_any_machine(said)


def _of_any_machine(text: str) -> str:
    """Without the line about this machine's cores and disk."""
    return "\n".join(line for line in text.splitlines() if "free" not in line and "core" not in line)
