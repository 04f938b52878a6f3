"""Functions that a script passes to Ray Tune, with their search space, metric and mode."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from hpo.functions.ray_trainable import RESOURCE
from hpo.proposing.argument_roles import resource_of
from hpo.proposing.arguments import Argument, Interface
from hpo.proposing.foreign_spaces import entries_of
from hpo.proposing.source import Source


@dataclass(frozen=True)
class Trainable:
    """A function that Ray Tune tunes, with its search space, metric and mode."""

    function: str
    space: list[Argument]
    metric: str | None
    mode: str | None
    where: str


def find_trainable(sources: Sequence[Source]) -> Trainable | None:
    """Return the function that the script passes to `Tuner` or `tune.run`, with its search space; None if there is none."""
    source = sources[0]
    for call in source.calls:
        if source.full_name(call.func) not in ("ray.tune.Tuner", "ray.tune.tuner.Tuner", "ray.tune.run"):
            continue
        given = source.keywords(call)
        node: ast.expr | None = call.args[0] if call.args else given.get("trainable") or given.get("run_or_experiment")
        while isinstance(node, ast.Call) and node.args:  # tune.with_resources(function, ...)
            node = node.args[0]
        space = given.get("param_space") or given.get("config")
        if isinstance(space, ast.Name):
            space = source.assigned.get(space.id)
        if not (isinstance(node, ast.Name) and node.id in source.functions and isinstance(space, ast.Dict)):
            continue
        config = given.get("tune_config")
        told = {**given, **(source.keywords(config) if isinstance(config, ast.Call) else {})}
        metric, mode = (source.value(told.get(key)) for key in ("metric", "mode"))
        return Trainable(
            node.id,
            entries_of(source, space),
            metric if type(metric) is str else None,
            mode if mode in ("min", "max") else None,
            source.where(call),
        )
    return None


def read_trainable(sources: Sequence[Source]) -> Interface | None:
    """Return the arguments of the function that Ray Tune tunes, and how many reports end it; None if there is none."""
    found = find_trainable(sources)
    if found is None:
        return None
    arguments = found.space
    if resource_of(arguments) is None:
        arguments.append(Argument(RESOURCE, "int", where="so many reports"))
    return Interface("ray.tune", arguments, function=found.function)
