"""Slurm: one job per experiment. Loaded when it is named: the job's side goes without."""

__all__ = ["SlurmLauncher"]


def __getattr__(name: str) -> object:
    if name != "SlurmLauncher":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hpo.launchers.slurm.launcher import SlurmLauncher

    return SlurmLauncher
