"""`hpo completion`: shell code that completes commands, options, tags, groups and keys."""

import re
from collections.abc import Iterable, Iterator
from typing import Annotated

import click

from hpo.cli.candidates import Candidate
from hpo.cli.commands.app import VERBS, Option, Word, verb
from hpo.cli.completion import Typed, candidates
from hpo.errors import ConfigError

BASH = r"""_hpo() {
    COMPREPLY=()
    local word
    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <("${1/#\~/$HOME}" completion bash --line "${COMP_LINE:0:COMP_POINT}" --breaks "$COMP_WORDBREAKS" 2> /dev/null)
}
complete -o nospace -F _hpo hpo
"""
"""Completion code for bash. Readline adds no space after a word: each candidate brings its own where another word follows."""

ZSH = r"""_hpo() {
    local line
    local -a whole parts
    for line in "${(@f)$("${(Q)words[1]}" completion zsh --line "${(j: :)words[1,CURRENT-1]} $PREFIX" 2> /dev/null)}"; do
        if [[ "${line%%:*}" == *[=./] ]]; then parts+=("$line"); elif [[ -n "$line" ]]; then whole+=("$line"); fi
    done
    _describe -V 'hpo' whole -- parts -S ''
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _hpo hpo
"""

FISH = r"""function __hpo_complete
    set -l program (commandline -opc)[1]
    $program completion fish --line (commandline -cp | string collect) 2> /dev/null
end
complete --command hpo --no-files --keep-order --arguments '(__hpo_complete)'
"""

SHELLS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


@verb()
def completion(
    shell: Annotated[str, Word("|".join(SHELLS), "Your shell.")],
    line: Annotated[str | None, Option(hidden=True)] = None,
    breaks: Annotated[str, Option(hidden=True)] = "",
) -> None:
    """Print code that makes a shell complete command lines of hpo; for bash, `eval "$(hpo completion bash)"` in ~/.bashrc."""
    if shell not in SHELLS:
        raise ConfigError(f"hpo completion {shell}: use one of {', '.join(SHELLS)}")
    if line is None:
        click.echo(SHELLS[shell], nl=False)
        return
    typed = Typed.read(line)
    found = candidates(typed, VERBS)
    for text in in_bash(typed, found, breaks) if shell == "bash" else map(in_zsh if shell == "zsh" else in_fish, found):
        click.echo(text)


def in_bash(typed: Typed, found: Iterable[Candidate], breaks: str) -> Iterator[str]:
    """Yield candidates as readline inserts them: after the last word break typed, with a space after a whole word."""
    start = 0 if typed.quote else max((_escaped(typed.current).rfind(mark) + 1 for mark in breaks.strip()), default=0)
    for candidate in found:
        if typed.quote:
            yield candidate.text
        else:
            yield _escaped(candidate.text)[start:] + (" " if candidate.is_whole else "")


def _escaped(text: str) -> str:
    return re.sub(r"([^\w@%+=:,./~-])", r"\\\1", text)


def in_zsh(candidate: Candidate) -> str:
    """Format a candidate for zsh's `_describe`."""
    return candidate.text.replace(":", "\\:") + (f":{candidate.about}" if candidate.about else "")


def in_fish(candidate: Candidate) -> str:
    """Format a candidate for fish: the word, a tab, its description."""
    return f"{candidate.text}\t{candidate.about}" if candidate.about else candidate.text
