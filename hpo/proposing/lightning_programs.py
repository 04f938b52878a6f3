"""Programs with Lightning's command line: arguments of their model and data, and the metrics that they log."""

import ast
from collections.abc import Iterator, Sequence

from hpo.proposing.arguments import Argument, Interface
from hpo.proposing.signatures import constant, kind_and_choices, parameters
from hpo.proposing.source import Function, Source

_EPOCHS = 1000
"""Default number of epochs of Lightning's Trainer."""
_STEPS = ("training_step", "validation_step")


def find_lightning_cli(sources: Sequence[Source]) -> tuple[Source, ast.Call] | None:
    """Return the call that makes a LightningCLI, with its file; None if there is none."""
    calls = ((source, call) for source in sources for call in source.calls)
    return next((pair for pair in calls if pair[0].full_name(pair[1].func).endswith(".LightningCLI")), None)


def read_lightning(sources: Sequence[Source]) -> Interface | None:
    """Return the arguments of the classes that a LightningCLI is given; None if the script makes none."""
    found = find_lightning_cli(sources)
    if found is None:
        return None
    source, call = found
    given = source.keywords(call)
    interface = Interface("LightningCLI")
    for place, (key, prefix) in enumerate((("model_class", "model"), ("datamodule_class", "data"))):
        node = call.args[place] if place < len(call.args) else given.get(key)
        name = ast.unparse(node) if node is not None else ""
        holder = next((one for one in sources if name in one.classes), None)
        if holder is None:
            interface.notes.append(f"Not seen: what {prefix} takes." if not name else f"Not seen: {name}.")
            continue
        made = next((n for n in holder.classes[name].body if isinstance(n, Function) and n.name == "__init__"), None)
        for parameter in parameters(made) if made is not None else ():
            kind, choices = kind_and_choices(holder, parameter.annotation, parameter.default)
            default, where = constant(holder, parameter.default), holder.where(parameter.node)
            interface.arguments.append(
                Argument(
                    f"{prefix}.{parameter.name}",
                    "word" if kind == "bool" else kind,
                    default,
                    choices,
                    required=parameter.default is None,
                    where=where,
                )
            )
    defaults = given.get("trainer_defaults")
    pairs = zip(defaults.keys, defaults.values, strict=True) if isinstance(defaults, ast.Dict) else ()
    known = {source.value(key): source.value(value) for key, value in pairs if key is not None}
    said = "max_epochs" in known
    where = source.where(call) if said else "the default of Lightning"
    interface.arguments += [
        Argument("trainer.max_epochs", "int", known.get("max_epochs", _EPOCHS), where=where),
        Argument("seed_everything", "int", given="{trial_seed}", where="each configuration has its own"),
    ]
    if source.value(given.get("run")) is not False:
        interface.command = "fit"
    interface.notes.append(
        "Others of Lightning's Trainer are not seen; they may be added to arguments, as trainer.NAME."
    )
    return interface


def logged_names(sources: Sequence[Source]) -> Iterator[tuple[str, str]]:
    """Yield the names of metrics that `self.log` logs per epoch, as a CSVLogger spells them, each with its place."""
    for source in sources:
        methods = [node for node in source.nodes if isinstance(node, Function) and node.name in _STEPS]
        for method in methods:
            for call in (node for node in ast.walk(method) if isinstance(node, ast.Call)):
                if ast.unparse(call.func) not in ("self.log", "self.log_dict") or not call.args:
                    continue
                given = source.keywords(call)
                training = method.name == "training_step"
                by_step = source.value(given["on_step"]) is True if "on_step" in given else training
                by_epoch = source.value(given["on_epoch"]) is True if "on_epoch" in given else not training
                first = call.args[0]
                names = first.keys if isinstance(first, ast.Dict) else [first]
                for name in (source.value(node) for node in names):
                    if by_epoch and type(name) is str:
                        yield f"{name}_epoch" if by_step else name, source.where(call)
