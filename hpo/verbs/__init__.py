"""The commands beside running, a module each for those that belong together."""

from collections.abc import Sequence

from hpo.errors import ConfigError
from hpo.verbs import (
    checking,
    comparing,
    exporting,
    planning,
    recording,
    remote,
    reporting,
    reproducing,
    state,
    watching,
)
from hpo.verbs.app import app

__all__ = [
    "checking",
    "comparing",
    "exporting",
    "main",
    "planning",
    "recording",
    "remote",
    "reporting",
    "reproducing",
    "state",
    "watching",
]


def main(arguments: Sequence[str]) -> int:
    """Run a verb. Returns the exit code.

    Raises:
        ConfigError: there is no such verb.
        HPOError: from the verb.
    """
    verbs = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    if arguments[0] not in verbs:
        raise ConfigError(
            f"{arguments[0]!r} is neither a verb ({', '.join(verbs)}) nor an override of the form key=value"
        )
    try:
        app(args=list(arguments), prog_name="hpo")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0
