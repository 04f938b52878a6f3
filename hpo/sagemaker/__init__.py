"""SageMaker: a training job per experiment (launcher) or per attempt of a trial (backend), and the requests to AWS."""

from importlib import import_module
from typing import Any

_PLACES = {"SageMakerBackend": "hpo.sagemaker.backend", "SageMakerLauncher": "hpo.sagemaker.launcher"}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that a trial's job does not load the launcher."""
    if name not in _PLACES:
        raise AttributeError(f"module hpo.sagemaker has no attribute {name}")
    return getattr(import_module(_PLACES[name]), name)
