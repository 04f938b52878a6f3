"""The SageMaker launcher: one training job per experiment."""

from hpo.launchers.sagemaker.launcher import SageMakerLauncher

__all__ = ["SageMakerLauncher"]
