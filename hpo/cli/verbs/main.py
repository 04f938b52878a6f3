"""Finding the verb that a command line names, and running it."""

from collections.abc import Sequence

import click

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
    watch,
)
from hpo.cli.verbs.app import VERBS
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
    name, *rest = arguments
    if name not in VERBS:
        remedy = did_you_mean(name, VERBS, "; `hpo help` says what there is")
        raise ConfigError(
            f"{name!r} is neither a verb ({', '.join(VERBS)}) nor an override of the form key=value{remedy}"
        )
    try:
        with VERBS[name].make_context(f"hpo {name}", rest) as context:
            VERBS[name].invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as mistake:
        mistake.show()
        return mistake.exit_code
    except BrokenPipeError:
        raise
    except OSError as error:  # such as looking through all of / for experiments
        raise ConfigError(f"hpo {' '.join(arguments)}: {error}; name an experiment's directory, or a tag") from error
    return 0
