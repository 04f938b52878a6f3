"""Finding the command that a command line names, and running it."""

import importlib
from collections.abc import Sequence

import click

from hpo.cli.commands.app import VERBS, say
from hpo.cli.help import help_of
from hpo.errors import ConfigError, did_you_mean

MODULES = {
    "check-script": "check_script",
    "compare": "compare",
    "completion": "completion",
    "confirm": "confirm",
    "export": "export",
    "import": "export",
    "init": "init",
    "plan": "plan",
    "record": "record",
    "sync": "remote",
    "stop": "remote",
    "report": "report",
    "plot": "report",
    "reproduce": "reproduce",
    "serve": "serve",
    "status": "status",
    "replay": "status",
    "steer": "steer",
    "watch": "watch",
}
"""The module of each command; only that of the called command is imported."""


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code.

    Raises:
        ConfigError: No such command exists.
        HPOError: The command failed.
    """
    if arguments[0] == "help":
        if len(arguments) > 1:
            return main([arguments[1], "--help"])
        say(help_of([]))
        return 0
    name, *rest = arguments
    if name not in MODULES:
        remedy = did_you_mean(name, MODULES, "; `hpo help` lists all commands")
        raise ConfigError(
            f"{name!r} is neither a command ({', '.join(MODULES)}) nor an override of the form key=value{remedy}"
        )
    # Completion needs all commands.
    importlib.import_module(f"hpo.cli.commands.{'all_commands' if name == 'completion' else MODULES[name]}")
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
    except OSError as error:  # for example permission denied while searching / for experiments
        raise ConfigError(f"hpo {' '.join(arguments)}: {error}; name an experiment's directory, or a tag") from error
    return 0
