"""What a shell completes, as functions of a line and in real interactive shells."""

import os
import sys
from pathlib import Path

import pytest

from hpo.cli.commands.all_commands import VERBS
from hpo.cli.commands.completion import in_bash
from hpo.cli.commands.main import main
from hpo.cli.completion import Typed, candidates
from hpo.errors import ConfigError
from tests.support import debian
from tests.support.shells import Shell


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with groups of the user's own, and outputs of two tags."""
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "conf/benchmark/mine.yaml": "defaults: [mlp_digits, _self_]\nname: mine\nconfig_space: {width: {type: int}}\n",
        "conf/experiment/small.yaml": "# @package _global_\ndefaults: [override /benchmark: mine]\n",
        "outputs/first/mine/RS/seed_0/experiment.yaml": "",
        "outputs/second/best.yaml": "",
        "my data/train.py": "",
        ".hidden/x": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def complete(line):
    verbs = dict(sorted(VERBS.items()))  # they are listed as they were imported, which other tests may have done before
    return [found.text for found in candidates(Typed.read(line), verbs)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("hpo rep", ["replay", "report", "reproduce"]),
        ("hpo n_work", ["n_workers="]),
        ("hpo bench", ["benchmark.", "benchmark="]),
        ("hpo +exp", ["+experiment="]),
        ("hpo help sy", ["sync"]),
        ("hpo report ", ["first", "second", "conf/", "my data/", "outputs/"]),
        ("hpo report outputs/first/", ["outputs/first/mine/"]),
        ("hpo report .h", [".hidden/"]),
        ("hpo compare first s", ["second"]),
        ("hpo watch first ", []),
        ("hpo report --un", ["--unpaired"]),
        ("hpo report first --score ", ["anytime", "final"]),
        ("hpo export --to=par", ["--to=parquet"]),
        ("hpo export first --output my\\ data/t", ["my data/train.py"]),
        ("hpo import outputs/second/", ["outputs/second/best.yaml"]),
        ("hpo plan --prices ", ["aws", "conf/", "my data/", "outputs/"]),
        ("hpo serve --no", ["--no-browser"]),
        ("hpo --con", ["--config-dir"]),
        ("hpo --config-dir c", ["conf/"]),
        ("hpo --config-dir=c", ["--config-dir=conf/"]),
        ("hpo --cfg ", ["job", "hydra", "all"]),
        ("hpo @outputs/second/", ["@outputs/second/best.yaml"]),
        ("hpo hydra.sw", ["hydra.sweep.dir="]),
        ("hpo completion ", ["bash", "zsh", "fish"]),
    ],
)
def test_verbs_options_tags_and_files_are_completed(place, line, words):
    assert complete(line) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("hpo method=MOB", ["method=MOBSTER", "method=MOBSTER-INDEP"]),
        ("hpo method=MOBSTER,MOB", ["method=MOBSTER,MOBSTER-INDEP"]),
        ("hpo benchmark=mi", []),
        ("hpo --config-dir conf benchmark=mi", ["benchmark=mine"]),
        ("hpo plan --config-dir=conf benchmark=mine method=SOB", ["method=SOBOL"]),
        ("hpo hydra.searchpath=[file://conf] benchmark=mi", ["benchmark=mine"]),
        ("hpo --config-dir conf +experiment=s", ["+experiment=small"]),
        ("hpo method.sched", ["method.scheduler."]),
        ("hpo method=ASHA method.scheduler.red", ["method.scheduler.reduction_factor="]),
        ("hpo method=RS,ASHA method.scheduler.red", ["method.scheduler.reduction_factor="]),
        ("hpo -cd conf +experiment=small method=RS ~benchmark.config_space.wi", ["~benchmark.config_space.width"]),
        ("hpo --cfg job benchmark=mlp_digits benchmark.config_space.drop", ["benchmark.config_space.dropout."]),
        ("hpo record t method=RS +benchmark.argu", ["+benchmark.arguments."]),
        ("hpo method=RS resume=", ["resume=true", "resume=false"]),
        ("hpo method=RS code_changes=", ["code_changes=warn", "code_changes=refuse"]),
        ("hpo method=RS max_failures=", ["max_failures=3"]),
        ("hpo method=NONE method.sched", []),
        ("hpo --config-dir nowhere benchmark=ml", []),
    ],
)
def test_names_and_keys_are_those_of_what_the_line_composes(place, line, words):
    assert complete(line) == words


def in_place_of(line, *, breaks=" \t\n\"'@><=;|&(:"):
    """What bash is told."""
    typed = Typed.read(line)
    return list(in_bash(typed, candidates(typed, VERBS), breaks))


def test_readline_replaces_what_follows_its_breaks_and_gets_blanks_after_whole_words(place):
    assert in_place_of("hpo method=MOB") == ["MOBSTER ", "MOBSTER-INDEP "]
    assert in_place_of("hpo method=MOB", breaks=" ") == ["method=MOBSTER ", "method=MOBSTER-INDEP "]
    assert in_place_of("hpo 'method=SOB") == ["method=SOBOL"], "inside a quote it breaks nowhere"
    assert in_place_of("hpo n_work") == ["n_workers="]
    assert in_place_of("hpo report my") == ["my\\ data/"]
    assert in_place_of("hpo @outputs/second/b") == ["outputs/second/best.yaml "]


def test_another_shell_is_one_sentence():
    with pytest.raises(ConfigError, match="hpo completion tcsh: use one of bash, zsh, fish"):
        main(["completion", "tcsh"])


INTERACTIVE = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(hpo completion bash)"'),
    "zsh": (["zsh", "-f", "-i"], 'eval "$(hpo completion zsh)"'),
    "fish": (["fish", "--no-config", "-i"], "hpo completion fish | source"),
}


@pytest.mark.process
@pytest.mark.parametrize("shell", INTERACTIVE)
def test_the_tab_key_of_an_interactive_shell_completes(place, shell):
    if (missing := debian.install([shell], [shell])) is not None:
        pytest.skip(missing)
    command, install = INTERACTIVE[shell]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with Shell(command, place, {**os.environ, "PATH": path, "PS1": "> ", "HOME": str(place)}) as user:
        user.type(f"{install}; echo rea''dy\n", "ready")
        for typed, completed in (
            ("repr", "oduce "),
            ("--config-dir conf benchmark=mi", "ne "),
            ("report fir", "st "),
        ):
            user.type(f"hpo {typed}\t", f"{typed}{completed}")
            user.type("\x15", "")  # the line is dropped
