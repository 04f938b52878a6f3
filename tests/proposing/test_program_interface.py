"""What a program takes, read from sources that write it in all the ways there are."""

import pytest

from hpo.config.choices import ArgumentStyle
from hpo.errors import ConfigError
from hpo.proposing.program_interface import read_interface


@pytest.fixture
def read(tmp_path):
    def of(text, **modules):
        for name, content in modules.items():
            (tmp_path / f"{name}.py").write_text(content)
        (tmp_path / "train.py").write_text(text)
        return read_interface(tmp_path / "train.py")

    return of


def named(interface):
    return {argument.name: argument for argument in interface.arguments}


def test_argparse_in_all_its_forms(read):
    interface = read(
        """
import argparse
LR = 0.1
parser = argparse.ArgumentParser()
group = parser.add_argument_group("g")
group.add_argument("-l", "--lr", type=float, default=LR / 10)
parser.add_argument("--width", type=lambda text: int(text), default=2 * 8)
parser.add_argument("--amp", action=argparse.BooleanOptionalAction, default=True)
parser.add_argument("--no-cuda", action="store_true")
parser.add_argument("-q", action="store_true")
parser.add_argument("--sizes", type=int, nargs="+", default=[1, 2])
parser.add_argument("--flag", type=str2bool, default=False)
parser.add_argument("--decay", type=float)
parser.add_argument("--local_rank", type=int)
parser.set_defaults(decay=0.5)
parser.parse_args()
"""
    )
    found = named(interface)
    assert interface.parser == "argparse"
    assert interface.style == ArgumentStyle.switches
    kinds = {name: argument.kind for name, argument in found.items()}
    assert kinds == {
        "lr": "float", "width": "int", "amp": "bool", "no-cuda": "bool", "q": "bool", "sizes": "other", "flag": "word",
        "decay": "float", "local_rank": "int",
    }  # fmt: skip
    assert found["lr"].default == pytest.approx(0.01)
    assert found["width"].default == 16
    assert found["amp"].spelling == "--amp/--no-amp"
    assert found["q"].spelling == "-q"
    assert found["decay"].default == 0.5
    assert not found["local_rank"].required


def test_a_switch_that_is_on_by_default_says_what_passing_it_does(read):
    found = named(
        read(
            """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--cuda", action="store_false", help="use CUDA (default: True)")
parser.add_argument("--quiet", action="store_true", help="say less")
parser.parse_args()
"""
        )
    )
    assert found["cuda"].help == "use CUDA (default: True); true gives --cuda, which switches it off"
    assert found["quiet"].help == "say less"


def test_a_number_without_a_default_is_needed(read):
    found = named(read("import argparse\np = argparse.ArgumentParser()\np.add_argument('--width', type=int)\n"))
    assert found["width"].required


def test_places_of_words_are_counted(read):
    interface = read("""
import argparse
p = argparse.ArgumentParser()
p.add_argument("data")
p.add_argument("--lr", type=float, default=0.1)
p.add_argument("out", nargs="?")
""")
    assert [(a.name, a.spelling, a.required) for a in interface.arguments] == [
        ("data", "1", True),
        ("lr", None, False),
        ("out", "2", False),
    ]


def test_two_parsers_that_take_the_same_argument_count_once(read):
    interface = read("""
import argparse
def one():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.1)
def two():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.2)
""")
    assert [(a.name, a.default) for a in interface.arguments] == [("lr", 0.1)]


def test_arguments_of_a_module_beside_are_read_but_not_those_of_its_own_script(read):
    interface = read(
        "import argparse, opts\nparser = argparse.ArgumentParser()\nopts.add(parser)\n",
        opts="import argparse\ndef add(p):\n  p.add_argument('--lr', type=float, default=1)\n"
        "if __name__ == '__main__':\n  p = argparse.ArgumentParser()\n  p.add_argument('--other')\n",
    )
    assert [(a.name, a.where) for a in interface.arguments] == [("lr", "opts.py line 3")]


def test_the_command_that_trains_is_chosen_and_said(read):
    interface = read("""
import click
@click.group()
@click.option("--verbose", is_flag=True)
def cli(verbose): ...
@cli.command()
@click.argument("model")
def evaluate(model): ...
@cli.command("fit-model")
@click.argument("data")
@click.option("--lr", default=0.1)
def fit(data, lr): ...
""")
    assert interface.command == "fit-model"
    assert [(a.name, a.spelling) for a in interface.arguments] == [("data", "2"), ("lr", None)]
    assert interface.notes == [
        "What stands before the command is not proposed: verbose.",
        "It has several commands; this is for 'fit-model', the others are: evaluate.",
    ]


def test_typer_reads_signatures(read):
    interface = read("""
import typer
from typing import Optional, Literal
def main(out: str, lr: float = 0.1, layers: int = typer.Option(2, "-n", max=8), kind: Literal["a", "b"] = "a",
         amp: bool = True, limit: Optional[int] = None): ...
typer.run(main)
""")
    told = [(a.name, a.kind, a.default, a.spelling, a.required) for a in interface.arguments]
    assert told == [
        ("out", "text", None, "1", True),
        ("lr", "float", 0.1, None, False),
        ("layers", "int", 2, "-n", False),
        ("kind", "text", "a", None, False),
        ("amp", "bool", True, "--amp/--no-amp", False),
        ("limit", "int", None, None, False),
    ]
    assert interface.arguments[2].bounds == (None, 8)
    assert interface.arguments[3].choices == ("a", "b")
    assert interface.style == ArgumentStyle.flags


FUNCTIONS = "import fire\ndef train(lr=0.1, amp=False): ...\ndef test(model): ...\n"
CLASS = "import fire\nclass App:\n  def __init__(self, lr=0.1): ...\n  def train(self, amp=False): ...\n"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (FUNCTIONS + "fire.Fire(train)\n", None),
        (FUNCTIONS + "fire.Fire({'run': test, 'train-it': train})\n", "train-it"),
        (FUNCTIONS + "fire.Fire()\n", "train"),
        (CLASS + "fire.Fire(App)\n", "train"),
    ],
)
def test_fire_is_given_functions_in_four_ways(read, text, command):
    interface = read(text)
    assert interface.command == command
    assert [(a.name, a.kind, a.default) for a in interface.arguments] == [("lr", "float", 0.1), ("amp", "word", False)]


def test_dataclasses_of_tyro(read):
    interface = read("""
from dataclasses import dataclass
import tyro
@dataclass
class Base:
    lr: float = 0.1
@dataclass
class Args(Base):
    amp: bool = False
    data: str
args = tyro.cli(Args)
""")
    told = [(a.name, a.kind, a.spelling, a.required) for a in interface.arguments]
    assert told == [
        ("lr", "float", None, False),
        ("amp", "bool", "--amp/--no-amp", False),
        ("data", "text", None, True),
    ]


def test_words_with_defaults_are_read(read):
    text = "import sys\nalpha = float(sys.argv[1]) if len(sys.argv) > 1 else 0.5\n"
    text += "lr, n = float(sys.argv[2]), int(sys.argv[3])\n"
    told = [(a.name, a.kind, a.default, a.spelling) for a in read(text).arguments]
    assert told == [("alpha", "float", 0.5, "1"), ("lr", "float", None, "2"), ("n", "int", None, "3")]


@pytest.mark.process
def test_a_help_that_shows_nothing_is_said_with_what_it_says(read):
    text = "import argparse\np = argparse.ArgumentParser()\nfor n in 'ab': p.add_argument(f'--{n}')\n"
    sentence = r"neither its source nor its --help shows its arguments \(that says: no torch\)"
    with pytest.raises(ConfigError, match=sentence):
        read(text + "raise SystemExit('no torch')\n")


def test_decorators_that_name_their_own_function_are_no_commands(read):
    text = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=1.0)\n"
    text += "class A:\n  @property\n  def x(self): ...\n  @x.setter\n  def x(self, value): ...\n"
    assert list(named(read(text))) == ["lr"]


def test_defaults_of_hpo_arguments_are_read(read):
    found = read("import hpo\nargs = hpo.arguments(lr=0.1, epochs=9, amp=False, act='relu')\n")
    told = [(a.name, a.kind, a.default) for a in found.arguments]
    assert told == [("lr", "float", 0.1), ("epochs", "int", 9), ("amp", "word", False), ("act", "text", "relu")]


def test_a_script_without_a_parser_is_told_the_line_that_makes_arguments_of_its_constants(read):
    with pytest.raises(ConfigError, match=r"such as args = hpo\.arguments\(batch_size=128, epochs=3\)$"):
        read("batch_size = 128\nepochs = 3\nclasses = 10\nshape = (28, 28)\n")


def test_a_dataclass_of_another_package_in_a_structured_config_is_said(read):
    text = "import hydra\nfrom dataclasses import dataclass\nfrom optim import AdamConf\n"
    text += "from hydra.core.config_store import ConfigStore\n@dataclass\nclass C:\n  lr: float = 0.1\n"
    text += "  adam: AdamConf = AdamConf()\nConfigStore.instance().store(name='c', node=C)\n"
    found = read(text + "@hydra.main(config_name='c')\ndef main(c): ...\n")
    assert found.notes == ["Not seen: what adam takes, as adam.NAME."]
