"""The known name that a person may have meant."""

from collections.abc import Iterable, Sequence

_MOST = 20
"""Names that are still read when the nearest is said, too."""


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The name most like `word`, upper and lower case being alike; None where none is."""
    import difflib  # only after a mistake

    by_folded = {name.casefold(): name for name in names}
    found = difflib.get_close_matches(word.casefold(), by_folded, n=1)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, names: Iterable[str], otherwise: str = "") -> str:
    """The end of a sentence about an unknown `word`: the nearest name, or `otherwise` where there is none."""
    near = nearest(word, names)
    return f"; did you mean {near}?" if near is not None else otherwise


def choose(word: str, names: Sequence[str]) -> str:
    """The end of a sentence about an unknown choice: the nearest one, and what there is unless that is long or needless."""
    near = nearest(word, names)
    there_are = ", ".join(names)
    if near is None:
        return f"; choose from {there_are}" if names else ""
    known_but_for_case = near.casefold() == word.casefold()
    others = f" There are {there_are}" if len(names) <= _MOST and not known_but_for_case else ""
    return f"; did you mean {near}?{others}"
