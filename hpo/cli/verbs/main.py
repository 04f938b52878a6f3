"""Finding the verb that a command line names, and running it."""

from collections.abc import Sequence

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
from hpo.cli.verbs.app import app
from hpo.errors import ConfigError, did_you_mean

__all__ = [
    "check_script",
    "compare",
    "completion",
    "export",
    "init",
    "main",
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


def main(arguments: Sequence[str]) -> int:
    """Run a verb. Returns the exit code.

    Raises:
        ConfigError: there is no such verb.
        HPOError: from the verb.
    """
    if arguments[0] == "help":
        from hpo.cli import run

        return main([arguments[1], "--help"]) if len(arguments) > 1 else run.main(["--help"])
    verbs = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    if arguments[0] not in verbs:
        remedy = did_you_mean(arguments[0], verbs, "; `hpo help` says what there is")
        raise ConfigError(
            f"{arguments[0]!r} is neither a verb ({', '.join(verbs)}) nor an override of the form key=value{remedy}"
        )
    try:
        app(args=list(arguments), prog_name="hpo")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BrokenPipeError:
        raise
    except OSError as error:  # such as looking through all of / for experiments
        raise ConfigError(f"hpo {' '.join(arguments)}: {error}; name an experiment's directory, or a tag") from error
    return 0
