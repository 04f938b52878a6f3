"""Hyperparameter optimisation of real training scripts, configured by Hydra.

Public names load on first use, so that `import hpo` in a training script costs next to nothing.
"""

TYPE_CHECKING = False  # type checkers read it as true; importing typing would cost more than the rest of this module
if TYPE_CHECKING:
    from hpo import checkpoint
    from hpo.config.reading import load_config
    from hpo.config.schema import ExperimentConfig
    from hpo.errors import HPOError
    from hpo.events.callback import Callback
    from hpo.events.types import Decision, Resume, Start, Trial
    from hpo.launchers.python_run import run_experiment
    from hpo.launchers.tune import tune
    from hpo.reporting import arguments, report
    from hpo.reports.notebook import show
    from hpo.results.experiment import Experiment, load_experiment
    from hpo.results.experiments import load_experiments
    from hpo.schedulers.construction import build_scheduler
    from hpo.watching.loop import follow

__version__ = "0.1.0"

_HOME = {
    "Callback": "hpo.events.callback",
    "Decision": "hpo.events.types",
    "Experiment": "hpo.results.experiment",
    "ExperimentConfig": "hpo.config.schema",
    "HPOError": "hpo.errors",
    "Resume": "hpo.events.types",
    "Start": "hpo.events.types",
    "Trial": "hpo.events.types",
    "build_scheduler": "hpo.schedulers.construction",
    "load_config": "hpo.config.reading",
    "follow": "hpo.watching.loop",
    "load_experiment": "hpo.results.experiment",
    "load_experiments": "hpo.results.experiments",
    "arguments": "hpo.reporting",
    "report": "hpo.reporting",
    "run_experiment": "hpo.launchers.python_run",
    "show": "hpo.reports.notebook",
    "tune": "hpo.launchers.tune",
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
    "arguments",
    "build_scheduler",
    "checkpoint",
    "follow",
    "load_config",
    "load_experiment",
    "load_experiments",
    "report",
    "run_experiment",
    "show",
    "tune",
]


def __getattr__(name: str) -> object:
    """Import the module that holds a public name when the name is first used (PEP 562)."""
    if name == "checkpoint":
        return __import__("hpo.checkpoint", fromlist=[name])
    if name not in _HOME:
        raise AttributeError(f"module 'hpo' has no attribute {name!r}")
    value = getattr(__import__(_HOME[name], fromlist=[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
