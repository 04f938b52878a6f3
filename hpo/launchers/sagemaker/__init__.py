"""SageMaker: one training job per experiment. Loaded when it is named: the job's side goes without."""

__all__ = ["SageMakerLauncher"]


def __getattr__(name: str) -> object:
    if name != "SageMakerLauncher":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hpo.launchers.sagemaker.launcher import SageMakerLauncher

    return SageMakerLauncher
