"""`hpo steer`: commands to a running experiment."""

from collections.abc import Sequence
from typing import Annotated, Any

from hpo.cli.commands.app import Option, Word, say, verb
from hpo.errors import ConfigError, StoreError
from hpo.events.steering import CommandName


@verb()
def steer(
    place: Annotated[str, Word("DIR", "Directory of one experiment.")],
    command: Annotated[str, Word("|".join(CommandName), "Command for the experiment.")],
    limits: Annotated[Sequence[str], Word("KEY=VALUE...", "For budget: new limits, such as max_num_trials=60.")] = (),
    trial: Annotated[int | None, Option("For stop: id of the trial.", metavar="N")] = None,
) -> None:
    """Stop a trial, hold or release the experiment, change its budget, end or interrupt it. Commands are kept in its log."""
    from hpo.events.text import command_text
    from hpo.steering.asking import PATIENCE, ask, me
    from hpo.store.experiment_paths import find_experiments

    arguments = _arguments(command, limits, trial)
    found = find_experiments(place)
    if len(found) > 1:
        raise ConfigError(
            f"{place}: {len(found)} experiments are there, and one is steered at a time; name {found[0]}, say"
        )
    answer = ask(found[0], command, arguments, me())
    if answer is None:
        say(
            f"{found[0]}: left for its tuner, which has not answered within {PATIENCE:g} s; `hpo status` shows the answer"
        )
    elif not answer.body["accepted"]:
        raise StoreError(f"{found[0]}: {command} was rejected: {answer.body['why']}")
    else:
        say(f"{found[0]}: {command_text(answer.body)}")


def _arguments(command: str, limits: Sequence[str], trial: int | None) -> dict[str, Any]:
    """Return the arguments of a steering command.

    Raises:
        ConfigError: The command does not take what was given.
    """
    if command not in set(CommandName):
        raise ConfigError(f"{command!r} is not a command to an experiment: use {', '.join(CommandName)}")
    if (trial is not None) != (command == CommandName.STOP):
        raise ConfigError("stop: add --trial N" if trial is None else f"--trial {trial}: is only for stop")
    if bool(limits) != (command == CommandName.BUDGET):
        raise ConfigError(
            f"{limits[0]}: is only for budget" if limits else "budget: add KEY=VALUE, such as max_num_trials=60"
        )
    return {"trial": trial} if trial is not None else dict(map(_limit, limits))


def _limit(word: str) -> tuple[str, Any]:
    """Parse a limit: `max_num_trials=60` becomes ("max_num_trials", 60)."""
    key, _, value = word.partition("=")
    if value == "null":
        return key, None
    for number in (int, float):
        try:
            return key, number(value)
        except ValueError:
            continue
    raise ConfigError(f"{word}: use KEY=NUMBER, or KEY=null for no limit")
