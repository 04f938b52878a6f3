"""What the nodes of a cluster have, and how many cores go with the GPUs that a job asks for."""

import re
from collections.abc import Mapping
from typing import Any

from hpo.slurm.commands import sinfo


def gpus_in(gres: str, kind: str | None = None) -> int:
    """How many GPUs a list of Slurm's names, such as `gpu:a100:4(S:0-1),tmpfs:9`; of one kind where that is given."""
    entries = [entry.split(":") for entry in re.sub(r"\([^)]*\)", "", gres).split(",")]
    gpus = [entry for entry in entries if entry[0] == "gpu" and kind in (None, *entry[1:2])]
    return sum(int(entry[-1]) if entry[-1].isdigit() else 1 for entry in gpus)


def shares(options: Mapping[str, Any], gpus: int) -> list[int]:
    """The cores that go with GPUs on the nodes that have so many, the most first; those that are fewer than asked for.

    Args:
        options: of sbatch.
        gpus: how many the job gets.
    """
    found = re.match(r"gpu:(\w+):", str(options.get("gres")))
    given = [f"--{to}={options[name]}" for name, to in _WHERE.items() if name in options]
    nodes = [(int(cores), gpus_in(gres, found and found[1])) for cores, gres in map(str.split, sinfo("%c %G", *given))]
    fitting = {max(cores * gpus // there, 1) for cores, there in nodes if there >= gpus}
    return sorted((cores for cores in fitting if cores < options["cpus-per-task"]), reverse=True)


_WHERE = {"partition": "partition", "nodelist": "nodes"}
"""Options of sbatch, and those of sinfo that mean the same."""
