"""The start of a script in several processes by torch's own launcher."""

from collections.abc import Mapping

_OF_A_LAUNCHER = (
    "RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
)  # fmt: skip


def torch_launcher(processes: int, name: str) -> list[str]:
    """Return the words between the interpreter and the script that start `processes` processes on this machine.

    The rendezvous is the attempt's own: the kernel gives the launcher a free port, which it never lets go of before the
    processes have it, so that any number of trials may start at the same time.

    Args:
        processes: Number of processes.
        name: Name of the attempt, unique in its experiment.
    """
    return [
        "-P",  # not from the working directory, where a user's random.py may lie
        "-m",
        "torch.distributed.run",
        "--nnodes=1",
        f"--nproc-per-node={processes}",
        "--rdzv-backend=c10d",
        "--rdzv-endpoint=127.0.0.1:0",
        f"--rdzv-id={name}",
        "--local-addr=127.0.0.1",
        "--max-restarts=0",
    ]


def without_launcher_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the variables of another training, which processes of a trial would meet at its port."""
    return {name: value for name, value in environment.items() if name not in _OF_A_LAUNCHER}
