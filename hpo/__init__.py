"""Hyperparameter optimisation of real training scripts, configured by Hydra.

Public names load on first use, so that `import hpo` in a training script costs next to nothing.
"""

TYPE_CHECKING = False  # type checkers read it as true; importing typing would cost more than all the rest here
if TYPE_CHECKING:
    from hpo.assembly import build_scheduler
    from hpo.callbacks import Callback
    from hpo.config import ExperimentConfig, load_config
    from hpo.errors import HPOError
    from hpo.experiment import run_experiment
    from hpo.reporting import report
    from hpo.results import Experiment, load_experiment
    from hpo.trial import Decision, Resume, Start, Trial

__version__ = "0.1.0"

_HOME = {
    "Callback": "hpo.callbacks",
    "Decision": "hpo.trial",
    "Experiment": "hpo.results",
    "ExperimentConfig": "hpo.config",
    "HPOError": "hpo.errors",
    "Resume": "hpo.trial",
    "Start": "hpo.trial",
    "Trial": "hpo.trial",
    "build_scheduler": "hpo.assembly",
    "load_config": "hpo.config",
    "load_experiment": "hpo.results",
    "report": "hpo.reporting",
    "run_experiment": "hpo.experiment",
}

__all__ = [
    "Callback",
    "Decision",
    "Experiment",
    "ExperimentConfig",
    "HPOError",
    "Resume",
    "Start",
    "Trial",
    "__version__",
    "build_scheduler",
    "load_config",
    "load_experiment",
    "report",
    "run_experiment",
]


def __getattr__(name: str) -> object:
    """Import the module that holds a public name when the name is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'hpo' has no attribute {name!r}")
    value = getattr(__import__(_HOME[name], fromlist=[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
