"""What a program takes, in one form for all the ways to say so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hpo.config.choices import ArgumentStyle


class Unread(str):
    """The text of a value that only running the program would tell."""

    __slots__ = ()


@dataclass(frozen=True)
class Argument:
    """One argument of a program."""

    name: str
    """As the program calls it, without dashes."""
    kind: str = "text"
    """float, int, number (one of these), bool, text, or other: what a single value cannot say."""
    default: Any = None
    """None where there is none, `Unread` where only running the program would tell."""
    choices: Sequence[Any] = ()
    bounds: tuple[float | None, float | None] = (None, None)
    required: bool = False
    spelling: str | None = None
    """Its `argument` in a benchmark, where that is not its name in the benchmark's style."""
    given: Any = None
    """What every training has to be given for it, where that is known."""
    domain: dict[str, Any] | None = None
    """That of a search space which the program has for another tuner."""
    where: str = ""
    """Where that is said: line 14."""
    help: str = ""

    @property
    def key(self) -> str:
        """Its name among `arguments`, where nothing else can say how it is written."""
        return self.spelling or self.name


@dataclass
class Interface:
    """All that a program takes."""

    parser: str
    """What reads its arguments: argparse."""
    arguments: list[Argument] = field(default_factory=list)
    style: ArgumentStyle = ArgumentStyle.flags
    command: str | None = None
    """The word that comes first, for one of several commands."""
    notes: list[str] = field(default_factory=list)
    """What whoever looks at the proposal should know."""
    unread: int = 0
    """Arguments that are there but cannot be read."""
    function: str | None = None
    """The function of the script that is the program, not the script itself."""
    behind: list[str] = field(default_factory=list)
    """Words that have to come behind all options."""
    json_option: str | None = None
    """The option that takes all of them in a file of JSON."""
    config_file: str | None = None
    """The configuration file of which each trial gets a copy."""
    config_origin: str = ""
    """Where the name of that file comes from."""


def of_commands(parser: str, commands: Mapping[str, list[Argument]], notes: Sequence[str] = ()) -> Interface:
    """What a program with several commands takes: that of the one that trains, by its name, else of the first.

    Args:
        parser: what reads the arguments.
        commands: what each takes.
        notes: for the interface.
    """
    trains = [name for name in commands if any(word in name.lower() for word in ("train", "fit"))]
    chosen = [*trains, *commands][0]
    others = ", ".join(name for name in commands if name != chosen)
    told = f"It has several commands; this is for {chosen!r}, the others are: {others}." if others else ""
    taken = [_after_command(argument) for argument in commands[chosen]]
    return Interface(parser, taken, style_of(taken), chosen, [*notes, *([told] if told else [])])


def _after_command(argument: Argument) -> Argument:
    """The command is the first word that is no option; others come one place later."""
    place = argument.spelling
    return replace(argument, spelling=str(int(place) + 1)) if place is not None and place.isdecimal() else argument


def style_of(arguments: Sequence[Argument]) -> ArgumentStyle:
    """How they are written: an option for a boolean that takes no value is there, or it is not."""
    switches = any(argument.kind == "bool" and "/" not in (argument.spelling or "") for argument in arguments)
    return ArgumentStyle.switches if switches else ArgumentStyle.flags
