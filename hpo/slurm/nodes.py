"""The resources of a cluster's nodes, and the number of cores that go with the GPUs that a job requests."""

import re
from collections.abc import Mapping
from typing import Any

from hpo.slurm.commands import sinfo


def gpus_in(gres: str, kind: str | None = None) -> int:
    """Return the number of GPUs in a gres list such as `gpu:a100:4(S:0-1),tmpfs:9`; only those of `kind` if it is given."""
    entries = [entry.split(":") for entry in re.sub(r"\([^)]*\)", "", gres).split(",")]
    gpus = [entry for entry in entries if entry[0] == "gpu" and kind in (None, *entry[1:2])]
    return sum(int(entry[-1]) if entry[-1].isdigit() else 1 for entry in gpus)


def shares(options: Mapping[str, Any], gpus: int) -> list[int]:
    """Return the cores that go with `gpus` GPUs on the nodes that have that many, largest first.

    Shares of at least the requested `cpus-per-task` are left out.

    Args:
        options: Options of sbatch.
        gpus: Number of GPUs of the job.
    """
    found = re.match(r"gpu:(\w+):", str(options.get("gres")))
    given = [f"--{to}={options[name]}" for name, to in _WHERE.items() if name in options]
    nodes = [(int(cores), gpus_in(gres, found and found[1])) for cores, gres in map(str.split, sinfo("%c %G", *given))]
    fitting = {max(cores * gpus // there, 1) for cores, there in nodes if there >= gpus}
    return sorted((cores for cores in fitting if cores < options["cpus-per-task"]), reverse=True)


_WHERE = {"partition": "partition", "nodelist": "nodes"}
"""Options of sbatch that restrict the nodes, and the options of sinfo that mean the same."""
