"""`hpo confirm`: the best configurations of a search, trained again with fresh seeds."""

import contextlib
import json
import sys
from typing import Annotated

from hpo.cli.commands.app import Option, Place, say, verb


@verb()
def confirm(
    place: Place,
    top: Annotated[int, Option("How many of the best configurations; the default comes besides.")] = 3,
    seeds: Annotated[int, Option("How many trainings of each, at most.")] = 5,
    as_json: Annotated[bool, Option("Print the same for programs, a line per benchmark.", ["--json"])] = False,
) -> None:
    """Train the best configurations again with fresh seeds, and say which to take and how good it really is."""
    from hpo.confirmation.confirm import confirm as train_and_compare
    from hpo.confirmation.notes import write_notes
    from hpo.confirmation.text import as_text
    from hpo.watching.terminal_warnings import show_warnings

    show_warnings()
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        found = train_and_compare(place, top=top, seeds=seeds)
    for confirmation in found:
        content = write_notes(confirmation)
        say(json.dumps(content) if as_json else f"\n{as_text(confirmation)}")
