"""The tasks a transformer can be fine-tuned to: where their labelled texts are found, and which of them validate.

Test data is never read. GLUE's and IMDB's validation part is cut from the training part, SWAG has one of its own:

    task                                  folders under `data`              files
    cola mnli mrpc qnli qqp rte ...       glue/<task>, glue/<official name> train.*
    swag                                  swag, swag/regular                train.*, val.* (or validation.*)
    imdb                                  aclImdb                           train/{neg,pos}/*.txt, as unpacked
                                          imdb, imdb/plain_text             train.*

`train.*` is a .tsv of GLUE's archives, a .csv with a header, a .json or .jsonl (an object per line), one or several
.parquet files (`train-00000-of-00001.parquet`) as the hub stores them, or a folder written by `save_to_disk` of the
library datasets. Where there is nothing, datasets takes the task from its cache or downloads it.
"""

import csv
import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Examples:
    """Labelled texts: for example `i` the pairs `first[i * n_choices + c]`, `second[...]`, c below `n_choices`."""

    first: list[str]
    second: list[str] | None
    labels: list[float]


@dataclass(frozen=True)
class Task:
    """What there is to know about a task before its data is read.

    Attributes:
        folders: where the data is looked for, below `data`.
        hub: the arguments of `datasets.load_dataset`.
        texts: names of the columns that hold the first text and, where there is one, the second.
        labels: names of the classes in text files, or their number; 1: a regression.
        metrics: what is reported, by the functions of scores.py.
        validation: files of the validation part; None: it is cut from the training part.
        n_choices: texts among which the right one is to be chosen; 1: a text is to be classified.
    """

    folders: tuple[str, ...]
    hub: tuple[str, ...]
    texts: tuple[str, ...]
    labels: tuple[str, ...] | int
    metrics: tuple[str, ...] = ("accuracy",)
    validation: tuple[str, ...] | None = None
    n_choices: int = 1

    @property
    def n_labels(self) -> int:
        """Number of classes, or 1."""
        return self.labels if isinstance(self.labels, int) else len(self.labels)


def _glue(name: str, official: str, texts: tuple[str, ...], labels: Any = 2, metrics: Any = ("accuracy",)) -> Task:
    return Task((f"glue/{name}", f"glue/{official}"), ("nyu-mll/glue", name), texts, labels, metrics)


ENTAILMENT = ("entailment", "not_entailment")
TASKS = {
    "cola": _glue("cola", "CoLA", ("sentence",), metrics=("matthews_correlation", "accuracy")),
    "mnli": _glue("mnli", "MNLI", ("premise", "hypothesis"), ("entailment", "neutral", "contradiction")),
    "mrpc": _glue("mrpc", "MRPC", ("sentence1", "sentence2"), metrics=("f1", "accuracy")),
    "qnli": _glue("qnli", "QNLI", ("question", "sentence"), ENTAILMENT),
    "qqp": _glue("qqp", "QQP", ("question1", "question2"), metrics=("f1", "accuracy")),
    "rte": _glue("rte", "RTE", ("sentence1", "sentence2"), ENTAILMENT),
    "sst2": _glue("sst2", "SST-2", ("sentence",)),
    "stsb": _glue("stsb", "STS-B", ("sentence1", "sentence2"), 1, ("spearmanr", "pearson")),
    "wnli": _glue("wnli", "WNLI", ("sentence1", "sentence2")),
    "swag": Task(
        ("swag", "swag/regular"), ("allenai/swag", "regular"),
        ("sent1", "sent2", "ending0", "ending1", "ending2", "ending3"), 4, validation=("val", "validation"), n_choices=4,
    ),
    "imdb": Task(("aclImdb", "imdb", "imdb/plain_text"), ("stanfordnlp/imdb", "plain_text"), ("text",), 2),
}  # fmt: skip

SYNONYMS = {
    "premise": ("sentence1",), "hypothesis": ("sentence2",),  # MNLI
    "sentence1": ("#1 String",), "sentence2": ("#2 String",),  # MRPC
    "label": ("gold_label", "is_duplicate", "score", "Quality"),  # MNLI, QQP, STS-B, MRPC
}  # fmt: skip
"""Columns as the hub names them, and as GLUE's archives do."""
COLA_COLUMNS = ("source", "label", "mark", "sentence")
"""CoLA's archive has no header."""


# ---- Finding files -------------------------------------------------------------------------------


def find_files(task: Task, data: Path, parts: Sequence[str] = ("train",)) -> list[Path]:
    """The files, or the folder, of a part of the data; empty where there is nothing."""
    for folder in (data / name for name in task.folders):
        for part in parts:
            if (folder / part / "dataset_info.json").is_file() or (folder / part / "pos").is_dir():
                return [folder / part]
            for ending in ("tsv", "csv", "jsonl", "json", "parquet"):
                if (file := folder / f"{part}.{ending}").is_file():
                    return [file]
            if files := sorted(folder.glob(f"{part}-*-of-*.parquet")):
                return files
    return []


# ---- Reading files -------------------------------------------------------------------------------


def read_tsv(file: Path) -> Columns:
    """Tab-separated values in which quotation marks mean nothing; a line with columns too few or too many is left out."""
    lines = file.read_text(encoding="utf-8-sig").rstrip("\n").split("\n")
    rows = [line.rstrip("\r").split("\t") for line in lines]
    if "label" not in rows[0] and len(rows[0]) == len(COLA_COLUMNS) and rows[0][1] in ("0", "1"):
        rows.insert(0, list(COLA_COLUMNS))
    width = len(rows[0])
    return _columns(dict(zip(rows[0], row, strict=True)) for row in rows if len(row) == width and row is not rows[0])


def read_csv(file: Path) -> Columns:
    """Comma-separated values with a header."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return _columns(csv.DictReader(lines))


def read_json(file: Path) -> Columns:
    """An object per line."""
    with file.open(encoding="utf-8") as lines:
        return _columns(json.loads(line) for line in lines if line.strip())


def read_parquet(file: Path) -> Columns:
    """One file of those that the hub stores."""
    from pyarrow import parquet

    columns: Columns = parquet.read_table(file).to_pydict()
    return columns


def read_folder(folder: Path) -> Columns:
    """A folder of IMDB's archive, or one written by `save_to_disk`."""
    if (folder / "pos").is_dir():
        files = [
            (file, label) for label, name in enumerate(("neg", "pos")) for file in sorted((folder / name).iterdir())
        ]
        return {"text": [file.read_text("utf-8") for file, _ in files], "label": [label for _, label in files]}
    import datasets

    columns: Columns = datasets.load_from_disk(str(folder)).to_dict()
    return columns


READERS: dict[str, Callable[[Path], Columns]] = {
    ".tsv": read_tsv, ".csv": read_csv, ".json": read_json, ".jsonl": read_json, ".parquet": read_parquet,
}  # fmt: skip


def _columns(rows: Iterable[Mapping[str, Any]]) -> Columns:
    columns: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return columns


def read_hub(task: Task, parts: Sequence[str]) -> Columns | None:
    """The part from the cache of the library datasets, or downloaded; None where neither is possible."""
    import datasets

    datasets.disable_progress_bars()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it warns of every attempt to reach the hub
    try:
        columns: Columns = datasets.load_dataset(*task.hub, split=parts[-1]).to_dict()
    except (OSError, ValueError):  # no network, or told to be offline, and not in the cache
        return None
    return columns


# ---- Examples ------------------------------------------------------------------------------------


def read_examples(task: Task, data: Path, parts: Sequence[str] = ("train",)) -> Examples:
    """The labelled texts of a part of the data; ends the process with one sentence where there are none."""
    files = find_files(task, data, parts)
    if not files:
        columns = read_hub(task, parts)
        if columns is None:
            places = " or ".join(str(data / folder / ("train" if "acl" in folder else f"{parts[0]}.*"))
                                 for folder in task.folders[:2])  # fmt: skip
            sys.exit(
                f"{'/'.join(task.hub)} is neither on this disk nor to be downloaded: put its {parts[0]} part into {places} "
                f"(.tsv, .csv, .jsonl or .parquet; see tasks.py)"
            )
        return _examples(task, columns, "/".join(task.hub))
    tables = [read_folder(file) if file.is_dir() else READERS[file.suffix](file) for file in files]
    found = [_examples(task, columns, str(file)) for columns, file in zip(tables, files, strict=True)]
    second = [text for part in found for text in part.second or ()]
    return Examples(
        [text for part in found for text in part.first], second or None, [x for part in found for x in part.labels]
    )


def _examples(task: Task, columns: Columns, source: str) -> Examples:
    texts = [_column(columns, name, source) for name in task.texts]
    labels = [_label(task, value, source) for value in _column(columns, "label", source)]
    labelled = [i for i, label in enumerate(labels) if label >= 0]  # -1 or "-": annotators disagreed
    if not labelled:
        sys.exit(f"{source}: has no labelled examples; put the whole training part there")
    kept = [labels[i] for i in labelled]
    if task.n_choices > 1:  # the first sentence with each continuation of the second
        context, beginning, *endings = texts
        pairs = [(context[i], f"{beginning[i]} {ending[i]}") for i in labelled for ending in endings]
        return Examples([one for one, _ in pairs], [other for _, other in pairs], kept)
    first, *others = ([text[i] for i in labelled] for text in texts)
    return Examples(first, others[0] if others else None, kept)


def _column(columns: Columns, name: str, source: str) -> Sequence[Any]:
    for known in (name, *SYNONYMS.get(name, ())):
        if known in columns:
            return columns[known]
    sys.exit(f"{source}: has the columns {', '.join(columns) or '(none)'}, but none called {name!r}")


def _label(task: Task, value: Any, source: str) -> float:
    if value in ("-", None):
        return -1
    if isinstance(task.labels, tuple) and value in task.labels:
        return task.labels.index(value)
    try:
        number = float(value)
    except ValueError:
        number = -2.0
    if task.n_labels == 1 and number >= 0:
        return number
    if number not in range(-1, task.n_labels):
        names = task.labels if isinstance(task.labels, tuple) else range(task.n_labels)
        sys.exit(f"{source}: the label {value!r} is none of {', '.join(map(str, names))}")
    return number
