"""All verbs at once, for their help, and for completing them."""

from hpo.cli.verbs import (
    check_script,
    compare,
    completion,
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
from hpo.cli.verbs.app import VERBS

__all__ = [
    "VERBS",
    "check_script",
    "compare",
    "completion",
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
