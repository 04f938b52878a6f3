"""The SageMaker backend: one training job per attempt of a trial."""

from hpo.backends.sagemaker.backend import SageMakerBackend

__all__ = ["SageMakerBackend"]
