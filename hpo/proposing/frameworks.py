"""Results that training loops of libraries print or write themselves: Keras, XGBoost, transformers' Trainer, LightningCLI."""

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hpo.config.choices import ReportChannel
from hpo.proposing.arguments import Argument, Unread
from hpo.proposing.lightning_programs import find_lightning_cli, logged_names
from hpo.proposing.printed_values import NUMBER
from hpo.proposing.report_description import Reported
from hpo.proposing.source import Source


def read_framework(sources: Sequence[Source]) -> Reported | None:
    """Return the results of the library's training loop that a script calls; None if there is none, or it prints nothing."""
    readers = (_of_lightning, _of_transformers, _of_keras, _of_xgboost)
    return next((found for reader in readers if (found := reader(sources)) is not None), None)


def _calls(sources: Sequence[Source], ends: str) -> Iterator[tuple[Source, ast.Call]]:
    """Yield the calls whose full name matches a pattern, each with its file."""
    for source in sources:
        for call in source.calls:
            if re.search(ends, source.full_name(call.func)):
                yield source, call


def _imports(sources: Sequence[Source], *packages: str) -> bool:
    return any(source.imports(package) for source in sources for package in packages)


def _of_lightning(sources: Sequence[Source]) -> Reported | None:
    """Return the columns of the table that Lightning's CSVLogger writes."""
    found = find_lightning_cli(sources)
    names = dict(logged_names(sources)) if found is not None else {}
    if not names:
        return None
    return Reported(
        ["epoch", *names],
        ReportChannel.csv,
        next(iter(names.values())),
        path="{checkpoint_dir}/lightning_logs/version_*/metrics.csv",
        first=0,
        arguments=[
            Argument("trainer.logger", given="CSVLogger", where="writes what is logged into a table"),
            Argument("trainer.logger.save_dir", given="{checkpoint_dir}", where="of the trial"),
        ],
    )


def _of_transformers(sources: Sequence[Source]) -> Reported | None:
    """Return what transformers' Trainer prints after each evaluation, with the arguments that make it evaluate each epoch."""
    call = next(_calls(sources, r"Trainer$"), None)
    if call is None or not _imports(sources, "transformers"):
        return None
    by_arguments = next(_calls(sources, r"HfArgumentParser$"), None) is not None
    if not by_arguments and not any("eval_strategy" in ast.unparse(source.tree) for source in sources):
        return None
    arguments = [Argument("eval_strategy", given="epoch", where="to report after each epoch")]
    if next(_calls(sources, r"get_last_checkpoint$"), None) is not None:
        arguments += [
            Argument("save_strategy", given="epoch", where="to resume from there after an interruption"),
            Argument("save_total_limit", given=1, where="the last one"),
        ]
    where = f"of the Trainer in {call[0].where(call[1])}"
    more = "; what compute_metrics returns is eval_NAME"
    return Reported(
        ["epoch", "eval_loss"],
        ReportChannel.stdout,
        patterns={
            "eval_loss": (rf"'eval_loss': '?{NUMBER}", where + more),
            "epoch": (r"'epoch': '?(\d+)", where),
        },
        arguments=arguments if by_arguments else [],
    )


def _of_keras(sources: Sequence[Source]) -> Reported | None:
    """Return the validation values that Keras' `fit` prints per epoch. Training values are in a progress bar: left out."""
    call = next(_calls(sources, r"\.fit$"), None)
    if call is None or not _imports(sources, "keras", "tensorflow"):
        return None
    source, fit = call
    given = source.keywords(fit)
    if source.value(given.get("verbose")) == 0 or not {"validation_data", "validation_split"} & given.keys():
        return None
    compiled = next((s.keywords(c).get("metrics") for s, c in _calls(sources, r"\.compile$")), None)
    names = [*(f"val_{name}" for name in _texts(source, compiled)), "val_loss"]
    where = f"of fit in {source.where(fit)}"
    patterns = {name: (rf"\b{name}: {NUMBER}", where) for name in names}
    return Reported(["epoch", *names], ReportChannel.stdout, patterns={"epoch": (r"^Epoch (\d+)/", where), **patterns})


def _of_xgboost(sources: Sequence[Source]) -> Reported | None:
    """Return what `xgboost.train` prints in each round for the data sets in `evals`, if the source names the metric."""
    call = next(_calls(sources, r"^xgboost\.train$"), None)
    if call is None:
        return None
    source, train = call
    given = source.keywords(train)
    evaluated = given.get("evals")
    if isinstance(evaluated, ast.Name):
        evaluated = source.assigned.get(evaluated.id)
    pairs = evaluated.elts if isinstance(evaluated, ast.List | ast.Tuple) else []
    sets = [pair.elts[1] for pair in pairs if isinstance(pair, ast.Tuple) and len(pair.elts) == 2]
    measures = [text for one in sources for node in _set_to(one, "eval_metric") for text in _texts(one, node)]
    if source.value(given.get("verbose_eval")) is False or not sets or not measures:
        return None
    where = f"of train in {source.where(train)}"
    shown = [f"{text}-{measure}" for name in sets for text in _texts(source, name) for measure in measures]
    patterns = {re.sub(r"\W+", "_", text): (rf"\b{re.escape(text)}:{NUMBER}", where) for text in dict.fromkeys(shown)}
    return Reported(
        ["round", *patterns],
        ReportChannel.stdout,
        patterns={"round": (r"^\[(\d+)\]", where), **patterns},
        first=0,
    )


def _set_to(source: Source, key: str) -> Iterator[ast.expr]:
    """Yield the values that a source gives for a key, in a mapping or as a keyword."""
    for node in source.nodes:
        if isinstance(node, ast.Dict):
            yield from (v for k, v in zip(node.keys, node.values, strict=True) if source.value(k) == key)
        elif isinstance(node, ast.keyword) and node.arg == key:
            yield node.value


def _texts(source: Source, node: ast.expr | None) -> list[str]:
    """Return the text at a node, or the texts in a list there."""
    value: Any = source.value(node)
    values = value if isinstance(value, list | tuple) else [value]
    return [text for text in values if type(text) is str and not isinstance(text, Unread)]
