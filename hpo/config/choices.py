"""Enumerations of the values that some configuration keys accept."""

from enum import Enum

ARGUMENTS = "{arguments}"
"""Placeholder in a command for all arguments of a trial; without it they are appended to the command."""


class Mode(Enum):
    """The direction in which a metric is better: `min` or `max`."""

    min = "min"
    max = "max"


class CodeChanges(Enum):
    """Options for how an experiment resumes if its script has changed since the last session."""

    warn = "warn"
    refuse = "refuse"


class Retry(Enum):
    """Options for which unsuccessful trials are trained again."""

    failed = "failed"


class WarmStartUse(Enum):
    """Options for how a new experiment uses the results of earlier experiments."""

    points = "points"
    """Train the best earlier configurations again before all others."""
    data = "data"
    """Train the searcher's surrogate model on the earlier results, too."""
    portfolio = "portfolio"
    """Like `points`, but with configurations that complement each other: at least one is good on each source."""
    box = "box"
    """Restrict nine tenths of the proposals to the ranges that the best earlier configurations span."""
    hurdle = "hurdle"
    """Only in stored experiments: like `portfolio`, and another trial passes a rung only if it beats all these there."""


def accepted_names(kind: type[Enum]) -> list[str]:
    """Return the values that a new experiment may give to a key of this type."""
    return [member.name for member in kind if member is not WarmStartUse.hurdle]


class ArgumentStyle(Enum):
    """Options for how a training program receives its arguments."""

    flags = "flags"
    """Each argument as one word: `--lr=0.1`."""
    separate = "separate"
    """Each argument as two words: `--lr 0.1`."""
    switches = "switches"
    """Like `flags`, but a true value becomes a switch (`--amp`) and a false value is left out."""
    overrides = "overrides"
    """Hydra overrides, quoted by Hydra's grammar: `lr=0.1`."""
    assignments = "assignments"
    """Assignments whose values are not quoted: `lr=0.1`."""
    positional = "positional"
    """Values alone, in the order of the configuration: `0.1`."""
    environment = "environment"
    """Environment variables with the names of the arguments."""
    file = "file"
    """A copy of the program's configuration file (`config_file`) in which the values are set."""


class WorkingDirectory(Enum):
    """The directory in which trials run."""

    here = "here"
    trial = "trial"


class ReportChannel(Enum):
    """Options for how a training program reports its metrics to the tuner."""

    file = "file"
    """JSON lines appended to the file HPO_REPORT_FILE, by `hpo.report` or by any program."""
    syne_tune = "syne_tune"
    """Lines `[tune-metric]: {json}` on standard output, as Syne Tune's reporter prints them."""
    stdout = "stdout"
    """Lines on standard output from which the regular expressions in `patterns` extract the metrics."""
    stderr = "stderr"
    """The same on standard error, to which Python's logging writes by default."""
    csv = "csv"
    """A CSV file at `report_path`, to which the program appends rows."""
    jsonl = "jsonl"
    """A file of JSON lines at `report_path`, to which the program appends."""
