"""Errors of users are one family, and none of them is anything else."""

import json
import logging
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import hpo
from hpo import errors
from hpo.cli.commands import main as verbs
from hpo.errors import DISTRIBUTION, BackendError, ConfigError, ExperimentError, HPOError, StoreError, how_to_install
from hpo.watching.terminal_warnings import show_warnings
from tests.serve.conftest import Story

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("kind", [ConfigError, StoreError, BackendError, ExperimentError])
def test_every_error_of_a_user_is_an_hpo_error(kind):
    assert issubclass(kind, HPOError)
    assert str(kind("n_workers=0: use a positive number")) == "n_workers=0: use a positive number"


def test_the_base_is_a_public_name():
    assert hpo.HPOError is HPOError


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = hpo.no_such_name


def test_every_public_name_is_there():
    for name in hpo.__all__:
        assert getattr(hpo, name) is not None
    assert set(hpo.__all__) <= set(dir(hpo))


def test_what_a_missing_package_is_installed_with_is_an_extra_of_the_clone():
    assert how_to_install("slurm") == "install it with: pip install -e '.[slurm]' in the clone of this repository"


def test_where_there_is_no_clone_it_is_the_packages_of_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(errors, "__file__", str(tmp_path / "site-packages" / "hpo" / "errors.py"))
    assert how_to_install("slurm") == "install it with: pip install 'submitit>=1.5'"
    words = set(how_to_install("torch").removeprefix("install it with: pip install ").split())
    assert words == {"'torch>=2.4'", "'torchvision>=0.19'", "'scikit-learn>=1.3'"}

    def gone(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", gone)  # code that a launcher has copied, say
    assert how_to_install("mlflow") == "install it with: pip install mlflow"


def test_the_distribution_is_not_called_as_the_other_project_and_both_commands_are_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == DISTRIBUTION == "hydra-hpo"
    assert project["scripts"]["hpo"] == project["scripts"]["hydra-hpo"]  # `uvx NAME` looks for a command of that name
    assert metadata.version(DISTRIBUTION) == hpo.__version__


def test_no_text_has_pip_fetch_the_other_project_and_every_extra_named_is_there():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("hpo/**/*.py")]
    named = set()
    for path in files:
        text = path.read_text()
        assert not re.search(r"pip\s+install\s+['\"]?hpo\b", text), path
        for group in re.findall(r"pip\s+install\s+-e\s+'[\w.]+\[([\w,]+)\]'", text):
            named.update(group.split(","))
        named.update(re.findall(r"how_to_install\('(\w+)'\)", text))
    assert {"aws", "slurm", "optuna", "parquet", "report", "botorch", "torch", "gpu"} <= named <= set(extras)


TURNING = "a\u202eb\u2066\u200b\x1b[2J\rend"
"""What turns the direction of text, hides in it, or moves the cursor of a terminal."""


def test_nothing_that_controls_a_terminal_stays_in_lines():
    assert errors.harmless(f"1\t2 ü\n{TURNING}\n") == "1\t2 ü\na b   [2J end\n"


def test_neither_an_error_nor_a_warning_nor_the_state_of_an_experiment_controls_a_terminal(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(logging.getLogger("hpo"), "handlers", [])
    story = Story(tmp_path / "seed_0")
    story.store.close()
    (story.directory / "metadata.json").write_text(json.dumps({"status": "interrupted", "error": TURNING}))
    verbs.main(["status", str(story.directory)])
    errors.print_error(TURNING)
    show_warnings()
    logging.getLogger("hpo").warning("%s", TURNING)
    told = capsys.readouterr()
    assert told.out.count("end") >= 1
    assert told.err.count("end") == 2
    assert all(line.isprintable() for line in (told.out + told.err).splitlines())


def test_every_verb_prints_by_what_keeps_a_terminal_as_it_is():
    """Scripts for shells are printed as they are; nothing in them is from an experiment."""
    folder = ROOT / "hpo" / "cli" / "commands"
    found = {path.name for path in folder.glob("*.py") if "click.echo" in path.read_text()}
    assert found == {"app.py", "completion.py"}
