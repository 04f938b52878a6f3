"""The arguments of a program, in one form for all the libraries that parse them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hpo.config.choices import ArgumentStyle


class Unread(str):
    """The source text of a value that is known only when the program runs."""

    __slots__ = ()


@dataclass(frozen=True)
class Argument:
    """One argument of a program."""

    name: str
    """Name of the argument in the program, without leading dashes."""
    kind: str = "text"
    """Kind of the value: float, int, number (either), bool (a switch), word (true or false as a text), text, or other."""
    default: Any = None
    """Default value; None if there is none, `Unread` if it is known only when the program runs."""
    choices: Sequence[Any] = ()
    bounds: tuple[float | None, float | None] = (None, None)
    required: bool = False
    spelling: str | None = None
    """Value of `argument` in the benchmark; None if the benchmark's style already writes the name correctly."""
    given: Any = None
    """Value that every training has to be given, if it is known."""
    domain: dict[str, Any] | None = None
    """Domain in the search space that the program has for another tuner."""
    where: str = ""
    """Place where the argument is declared, such as `line 14`."""
    help: str = ""

    @property
    def key(self) -> str:
        """The argument's key among the benchmark's `arguments`, which says how it is written as well."""
        return self.spelling or self.name


@dataclass
class Interface:
    """All arguments of a program, and how they are passed."""

    parser: str
    """Name of what parses the arguments, such as argparse."""
    arguments: list[Argument] = field(default_factory=list)
    style: ArgumentStyle = ArgumentStyle.flags
    command: str | None = None
    """Subcommand that comes first on the command line, if the program has several."""
    notes: list[str] = field(default_factory=list)
    """Sentences for the reader of the proposal, written at the top of the file."""
    unread: int = 0
    """Number of declared arguments that cannot be read."""
    function: str | None = None
    """Name of the function in the script that is tuned, if it is a function and not the script."""
    behind: list[str] = field(default_factory=list)
    """Words that have to follow all options."""
    json_option: str | None = None
    """Option that names a JSON file with all arguments."""
    config_file: str | None = None
    """The configuration file of which each trial gets a copy."""
    config_origin: str = ""
    """The place in the code from which the name of the configuration file was read."""


def of_commands(parser: str, commands: Mapping[str, list[Argument]], notes: Sequence[str] = ()) -> Interface:
    """Return the interface of one subcommand: the one that trains, by its name, else the first.

    Args:
        parser: Name of what parses the arguments.
        commands: Arguments of each subcommand.
        notes: Sentences for the reader of the proposal.
    """
    trains = [name for name in commands if any(word in name.lower() for word in ("train", "fit"))]
    chosen = [*trains, *commands][0]
    others = ", ".join(name for name in commands if name != chosen)
    told = f"It has several commands; this is for {chosen!r}, the others are: {others}." if others else ""
    taken = [_after_command(argument) for argument in commands[chosen]]
    return Interface(parser, taken, style_of(taken), chosen, [*notes, *([told] if told else [])])


def _after_command(argument: Argument) -> Argument:
    """Return a positional argument one place later, behind the subcommand."""
    place = argument.spelling
    return replace(argument, spelling=str(int(place) + 1)) if place is not None and place.isdecimal() else argument


def style_of(arguments: Sequence[Argument]) -> ArgumentStyle:
    """Return the style in which arguments are written: switches if a boolean option takes no value, else flags."""
    switches = any(argument.kind == "bool" and "/" not in (argument.spelling or "") for argument in arguments)
    return ArgumentStyle.switches if switches else ArgumentStyle.flags
