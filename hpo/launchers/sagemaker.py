"""Alias of hpo.sagemaker, the SageMaker launcher, under the former name that stored experiments and users' YAML contain."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    return getattr(import_module("hpo.sagemaker"), name)
