"""The words that a key of the configuration takes, where it takes only a few."""

from enum import Enum

ARGUMENTS = "{arguments}"
"""In a command: where all arguments go, if not behind it."""


class Mode(Enum):
    """Direction of the metric."""

    min = "min"
    max = "max"


class CodeChanges(Enum):
    """What becomes of an experiment whose script has changed since its last session."""

    warn = "warn"
    refuse = "refuse"


class Retry(Enum):
    """Which trials are trained again."""

    failed = "failed"


class WarmStartUse(Enum):
    """What is done with the results of earlier experiments."""

    points = "points"
    """Their best configurations are trained again, first of all."""
    data = "data"
    """The model of the searcher learns from them."""
    portfolio = "portfolio"
    """As `points`, but configurations that are good together: on each source at least one."""
    box = "box"
    """The search stays, but for a tenth, within the ranges that the best configurations of the sources span."""
    hurdle = "hurdle"
    """As `portfolio`, and other trials pass a rung only where they are better than all of these were there."""


class ArgumentStyle(Enum):
    """How a program takes its arguments."""

    flags = "flags"
    """`--lr=0.1`"""
    separate = "separate"
    """`--lr 0.1`"""
    switches = "switches"
    """As flags, but what is true is `--amp`, and what is false is left out."""
    overrides = "overrides"
    """`lr=0.1`, as programs that are written with Hydra take them."""
    assignments = "assignments"
    """`lr=0.1`, each value as it is."""
    positional = "positional"
    """`0.1`, in the order of the configuration."""
    environment = "environment"
    """Variables of these names."""
    file = "file"
    """A copy of `config_file` in which they are set."""


class WorkingDirectory(Enum):
    """Where trials run."""

    here = "here"
    trial = "trial"


class ReportChannel(Enum):
    """How a script reports."""

    file = "file"
    """JSON lines appended to HPO_REPORT_FILE, by `hpo.report` or by any program."""
    syne_tune = "syne_tune"
    """`[tune-metric]: {json}` lines on standard output."""
    stdout = "stdout"
    """Lines on standard output in which `patterns` find the values."""
    stderr = "stderr"
    """The same on standard error, where Python's logging writes unless it is told otherwise."""
    csv = "csv"
    """A table that it appends to, at `report_path`."""
    jsonl = "jsonl"
    """JSON lines that it appends to, at `report_path`."""
