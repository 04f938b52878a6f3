"""Errors a user can cause. Each message is one sentence that names the key, the value and the remedy.

HPOError
├── ConfigError      a key of the configuration, a search space or a command line
├── StoreError       an experiment directory: in use, damaged, of another configuration
│   └── DamageError  its event store is not as it was written
├── BackendError     the machine: devices, the trial host, a script that cannot be started
├── ReportError      (hpo.objective) a report that cannot be used
└── ExperimentError  an experiment that cannot go on: wrong metric name, nothing but failing trials
"""


class HPOError(Exception):
    """Base of all errors of this package; the command line prints its message without a traceback."""


class ConfigError(HPOError):
    """A value of the configuration is wrong."""


class StoreError(HPOError):
    """An experiment directory cannot be used."""


class DamageError(StoreError):
    """An event store is not as it was written."""


class BackendError(HPOError):
    """Trials cannot be run on this machine."""


class ExperimentError(HPOError):
    """The experiment cannot go on."""


def installing(extra: str) -> str:
    """The remedy where a package is missing. By its name alone pip would fetch another project that is called hpo."""
    return f"install it with: pip install -e '.[{extra}]' in the clone of this repository"
