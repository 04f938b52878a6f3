"""How values are written for programs: each style, each way to name one, and that programs of that kind read them back."""

import json
import subprocess
import sys

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from hpo.backends.arguments import fill, write
from hpo.config.choices import ArgumentStyle
from hpo.errors import ConfigError

VALUES = {"lr": 0.1, "act": "relu", "amp": True, "quiet": False, "layers": [1, 2]}


@pytest.mark.parametrize(
    ("style", "words"),
    [
        ("flags", ["--lr=0.1", "--act=relu", "--amp=True", "--quiet=False", "--layers=[1, 2]"]),
        (
            "separate",
            ["--lr", "0.1", "--act", "relu", "--amp", "True", "--quiet", "False", "--layers", "[1, 2]"],
        ),
        ("switches", ["--lr=0.1", "--act=relu", "--amp", "--layers=[1, 2]"]),
        ("overrides", ["lr=0.1", "act='relu'", "amp=true", "quiet=false", "layers=[1,2]"]),
        ("assignments", ["lr=0.1", "act=relu", "amp=True", "quiet=False", "layers=[1, 2]"]),
        ("positional", ["0.1", "relu", "True", "False", "[1, 2]"]),
        ("environment", []),
        ("file", []),
    ],
)
def test_each_style_writes_all_values_in_their_order(style, words):
    written = write(VALUES, {}, ArgumentStyle(style))
    assert written.words == words
    texts = {"lr": "0.1", "act": "relu", "amp": "True", "quiet": "False", "layers": "[1, 2]"}
    assert written.environment == (texts if style == "environment" else {})
    assert written.content == (VALUES if style == "file" else {})


@pytest.mark.parametrize(
    ("style", "argument", "value", "words"),
    [
        ("flags", "optimizer.lr", 0.1, ["--optimizer.lr=0.1"]),
        ("overrides", "+optimizer.lr", 0.1, ["+optimizer.lr=0.1"]),
        ("flags", "-l", 0.1, ["-l", "0.1"]),
        ("flags", "--rate", 0.1, ["--rate=0.1"]),
        ("separate", "--rate", 0.1, ["--rate", "0.1"]),
        ("overrides", "--rate", 0.1, ["--rate=0.1"]),
        ("flags", "--amp/--no-amp", True, ["--amp"]),
        ("separate", "--amp/--no-amp", False, ["--no-amp"]),
        ("switches", "-a", True, ["-a"]),
        ("switches", "-a", False, []),
        ("flags", "2", 0.1, ["0.1"]),
        ("overrides", "+layers=", "[32,'a b']", ["+layers=[32,'a b']"]),
        ("separate", "--layers=", 3, ["--layers=3"]),
    ],
)
def test_an_argument_is_written_as_it_says(style, argument, value, words):
    assert write({"x": value}, {"x": argument}, ArgumentStyle(style)).words == words


def test_words_that_are_no_options_stand_at_their_places_before_the_options():
    spelling = {"out": "2", "source": "1"}
    written = write({"lr": 1, "out": "b", "source": "a"}, spelling, ArgumentStyle.separate)
    assert written.words == ["a", "b", "--lr", "1"]


def test_a_variable_is_one_in_any_style():
    written = write({"lr": 0.1, "x": 2}, {"lr": "$RATE"}, ArgumentStyle.flags)
    assert (written.environment, written.words) == ({"RATE": "0.1"}, ["--x=2"])


def test_two_options_can_only_say_true_or_false():
    with pytest.raises(ConfigError, match=r"amp=0\.5: its argument --amp/--no-amp can only say true or false"):
        write({"amp": 0.5}, {"amp": "--amp/--no-amp"}, ArgumentStyle.flags)


plain = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=20).filter(lambda text: "${" not in text),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
)


@given(st.one_of(plain, st.lists(plain, max_size=3)))
def test_hydra_reads_an_override_as_the_value_it_was(value):
    (word,) = write({"group.x": value}, {}, ArgumentStyle.overrides).words
    parsed = OverridesParser.create().parse_override(word)
    found = parsed.value()
    as_given = (
        [getattr(item, "text", item) for item in found] if isinstance(found, list) else getattr(found, "text", found)
    )
    assert parsed.key_or_group == "group.x"
    assert as_given == value
    assert type(as_given) is type(value)


PLACES = {"trial_seed": "5", "checkpoint_dir": "/c", "trial_id": "3", "config_file": "/f"}


def test_only_the_words_that_stand_for_something_are_filled_in():
    value = {"a": ["{trial_id}/{checkpoint_dir}", 1], "b": "{other} {} {{trial_seed}} {trial_id", "c": None}
    assert fill(value, PLACES) == {"a": ["3//c", 1], "b": "{other} {} {5} {trial_id", "c": None}


ARGPARSE = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--amp", action="store_true")
parser.add_argument("--quiet", action="store_true")
parser.add_argument("--act")
print(json.dumps(vars(parser.parse_args())))
"""
GETOPT = """
import getopt
options, _ = getopt.getopt(sys.argv[1:], "", ["lr=", "amp=", "quiet=", "act="])
found = {name[2:]: text for name, text in options}
flags = {name: found[name] == "True" for name in ("amp", "quiet")}
print(json.dumps({"lr": float(found["lr"]), **flags, "act": found["act"]}))
"""
CLICK = """
import click
@click.command()
@click.option("--lr", type=float)
@click.option("--amp/--no-amp")
@click.option("--quiet/--no-quiet")
@click.option("--act")
def main(**given):
    print(json.dumps(given))
main()
"""
HYDRA = """
import hydra
from dataclasses import dataclass
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf
@dataclass
class Config:
    lr: float = 0.5
    amp: bool = False
    quiet: bool = True
    act: str = ""
ConfigStore.instance().store(name="config", node=Config)
@hydra.main(version_base=None, config_name="config")
def main(config):
    print(json.dumps(OmegaConf.to_container(config)))
main()
"""
PAIRS = {"amp": "--amp/--no-amp", "quiet": "--quiet/--no-quiet"}


@pytest.mark.process
@pytest.mark.parametrize(
    ("source", "style", "spelling"),
    [
        (ARGPARSE, "switches", {}),
        (GETOPT, "separate", {}),
        (CLICK, "flags", PAIRS),
        (CLICK, "separate", PAIRS),
        (HYDRA, "overrides", {}),
    ],
    ids=["argparse", "getopt", "click", "click-separate", "hydra"],
)
@pytest.mark.parametrize("act", ["it's {trial_id}, $HOME \\' =: [x]", "", "a b", "-x"])
def test_programs_of_each_kind_read_what_was_meant(tmp_path, source, style, spelling, act):
    if act == "-x" and source == ARGPARSE:
        style = "switches"  # with `=` a value may begin with a dash
    values = {"lr": 1e-05, "amp": True, "quiet": False, "act": act}
    (tmp_path / "train.py").write_text("import json\nimport sys\n" + source)
    words = write(values, spelling, ArgumentStyle(style)).words
    command = [sys.executable, "train.py", *words, *(["hydra.run.dir=."] if source == HYDRA else [])]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == values
