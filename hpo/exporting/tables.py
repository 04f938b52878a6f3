"""Export as tables: one row per report as CSV or Parquet, or one line per event as JSON."""

import contextlib
import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from hpo.errors import ConfigError, how_to_install
from hpo.results.experiment import Experiment
from hpo.results.rows import report_rows
from hpo.store.atomic_files import replacing, write_atomically

KEYS = ("experiment_tag", "benchmark", "method", "seed")
"""Columns that identify an experiment; they come first."""


def write_csv(experiments: Sequence[Experiment], output: Path) -> None:
    """Write a CSV file with one row per report and the columns of results.csv.zip."""
    names: dict[str, None] = dict.fromkeys(KEYS)
    for row in _rows(experiments):
        names |= dict.fromkeys(row)
    with _text_file(output) as file:
        writer = csv.DictWriter(file, list(names), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(_rows(experiments))


def write_parquet(experiments: Sequence[Experiment], output: Path) -> None:
    """Write a Parquet file with one row per report; a column with values of several types becomes text.

    Raises:
        ConfigError: The package pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"--to parquet: it needs the package pyarrow ({error}); {how_to_install('parquet')}"
        ) from error
    import io

    import pandas as pd

    table = pd.DataFrame(list(_rows(experiments)))
    for name in table.columns:
        if table[name].dtype == object and {type(value) for value in table[name]} != {bool}:
            table[name] = [None if value is None or value != value else _as_text(value) for value in table[name]]
    packed = io.BytesIO()
    table.to_parquet(packed, engine="pyarrow", index=False)
    write_atomically(output, packed.getvalue())


def write_jsonl(experiments: Sequence[Experiment], output: Path) -> None:
    """Write one JSON line per event of the log, in order, with its number and its experiment."""
    with _text_file(output) as file:
        for experiment in experiments:
            keys = _keys(experiment)
            for seq, event in enumerate(experiment.events, 1):
                fields = {
                    **keys, "seq": seq, "kind": event.kind.value, "elapsed": event.elapsed, "time": event.time,
                    "trial": event.trial, "attempt": event.attempt, "resource": event.resource, "body": event.body,
                }  # fmt: skip
                file.write(f"{json.dumps(fields)}\n")


def _keys(experiment: Experiment) -> dict[str, Any]:
    config = experiment.config
    return dict(zip(KEYS, (config.experiment_tag, config.benchmark.name, config.method.name, config.seed), strict=True))


def _rows(experiments: Sequence[Experiment]) -> Iterator[dict[str, Any]]:
    for experiment in experiments:
        keys = _keys(experiment)
        for row in report_rows(experiment.config, experiment.events):
            yield {**keys, **{(f"reported_{name}" if name in KEYS else name): value for name, value in row.items()}}


def _as_text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace").decode()  # a script can report half of a surrogate pair


@contextlib.contextmanager
def _text_file(output: Path) -> Iterator[IO[str]]:
    """Open a text file for writing that appears complete or not at all."""
    with (
        replacing(output) as partial,
        partial.open("w", encoding="utf-8", errors="replace", newline="") as file,
    ):
        yield file
