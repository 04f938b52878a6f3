"""The role of an argument by its name: hyperparameter, length of the training, seed, or a matter of the machine."""

import re
from collections.abc import Sequence

from hpo.proposing.arguments import Argument

SEED = re.compile(r"(^|_)(random_)?(seed|random_state)$")
RESOURCE = re.compile(
    r"((n|num|nb|max|total|train|training|boost)_?)*(epochs?|steps?|timesteps?|iters?|iterations?|rounds?|updates?)"
)
_MACHINE = re.compile(
    r"(^|_)(workers?|n_?jobs|n?_?threads?|n?procs?|processes|n?cpus?|n?gpus?|(?<!per_)devices?|cuda|mps|port|host|ip|rank|"
    r"world_size|local_rank|paths?|dirs?|folder|root|files?|filename|cache|out|output)($|_)|^(n|num_|n_)?nodes$|^data($|_)|^data(root|dir)|(^|_)data$"
)
_NEVER = re.compile(
    r"(^|_)(verbose|verbosity|log|logging|logger|print|debug|quiet|interval|every|freq|frequency|save|saves|checkpoints?|ckpt|"
    r"resume|version|wandb|project|run|tag|test|eval|evaluate|evaluation|valid|validation|val|dry|profile|classes|vocab|in_channels|"
    r"image_size|img_size|max_length|length|seq_len|bptt|samples|limit|precision|fp16|bf16|amp|backend|distributed|task|dataset|"
    r"mode|split|folds?|metric|monitor|patience|early_stopping|job|id|name|timeout|deterministic|config|input)($|_)"
)


def plain_name(argument: Argument) -> str:
    """Return an argument's name in lower case with underscores, so that nEpochs, n-epochs and N_EPOCHS are one name."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", argument.name)
    return re.sub(r"[^a-z0-9.]+", "_", name.lower())


def last_name(argument: Argument) -> str:
    """Return the last part of an argument's dotted name."""
    return plain_name(argument).rpartition(".")[2]


def is_seed(argument: Argument) -> bool:
    """Whether an argument seeds the training."""
    return SEED.search(plain_name(argument)) is not None and argument.kind not in ("bool", "word")


def is_of_the_machine(argument: Argument) -> bool:
    """Whether an argument concerns where the training runs (paths, devices, workers), not its result."""
    name = last_name(argument)
    return not name.startswith("min_") and "model" not in name and _MACHINE.search(name) is not None


def is_never_tuned(argument: Argument) -> bool:
    """Whether an argument is no hyperparameter: it concerns the machine, the output, the task, or the training's length."""
    name = last_name(argument)
    return (
        argument.kind == "other"
        or SEED.search(plain_name(argument)) is not None
        or is_of_the_machine(argument)
        or (not name.startswith("min_") and _NEVER.search(name) is not None)
        or RESOURCE.fullmatch(name) is not None
    )


def resource_of(arguments: Sequence[Argument]) -> Argument | None:
    """Return the argument that says how long a training is, epochs and totals first; None if there is none."""
    found = [a for a in arguments if RESOURCE.fullmatch(last_name(a)) and a.kind in ("int", "float", "number", "text")]
    found = [a for a in found if not (isinstance(a.default, int | float) and a.default < 1)]
    return min(
        found,
        key=lambda a: ("epoch" not in a.name.lower(), "total" not in a.name.lower(), found.index(a)),
        default=None,
    )
