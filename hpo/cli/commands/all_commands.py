"""Imports of all commands at once, for `hpo help` and for shell completion."""

from hpo.cli.commands import (
    check_script,
    compare,
    completion,
    confirm,
    export,
    init,
    plan,
    record,
    remote,
    report,
    reproduce,
    serve,
    status,
    steer,
    watch,
)
from hpo.cli.commands.app import VERBS

__all__ = [
    "VERBS",
    "check_script",
    "compare",
    "completion",
    "confirm",
    "export",
    "init",
    "plan",
    "record",
    "remote",
    "report",
    "reproduce",
    "serve",
    "status",
    "steer",
    "watch",
]
