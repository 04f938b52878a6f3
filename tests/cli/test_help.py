"""The help text: read from the configuration's own files, with all groups and keys, without Hydra."""

import dataclasses
import re
import subprocess
import sys

import pytest
import yaml

from hpo.cli.help import help_of
from hpo.config.config_folders import CONF_DIR
from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_the_help_lists_every_choice_of_every_group(words):
    text = help_of(words)
    for path in CONF_DIR.glob("*/*.yaml"):
        listed = re.search(rf"^{path.parent.name}: (.*)$", text, re.MULTILINE)
        assert path.stem in listed[1].split(", ")


def test_its_keys_are_those_of_the_configuration_with_their_defaults_and_comments():
    text = help_of(["--help"])
    shown = text.partition("== Configuration")[2].partition("\n")[2]
    keys = yaml.safe_load(shown)
    known = {field.name for field in dataclasses.fields(ExperimentConfig)}
    content = yaml.safe_load((CONF_DIR / "config.yaml").read_text())
    assert keys == {name: value for name, value in content.items() if name in known}
    assert len(keys) > 30
    assert "n_workers: null # trials at a time" in shown
    assert 'eval "$(hpo completion bash)"' in text


def test_a_folder_of_the_user_adds_its_choices(tmp_path):
    (tmp_path / "benchmark").mkdir()
    (tmp_path / "benchmark" / "mine.yaml").write_text("name: mine\n")
    for words in (["--config-dir", str(tmp_path), "--help"], ["-h", f"--config-dir={tmp_path}"]):
        assert ", mine, " in help_of(words)


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ConfigError, match="nowhere: there is no such directory"):
        help_of(["--help", "--config-dir", str(tmp_path / "nowhere")])


@pytest.mark.parametrize(
    "words", [["--help", "method=BO"], ["--config-dir", "conf"], ["n_workers=2"], ["--cfg", "job"], ["--hydra-help"]]
)
def test_what_has_overrides_or_other_options_is_left_to_hydra(words):
    assert help_of(words) is None


@pytest.mark.process
def test_help_and_the_completion_of_a_command_or_a_choice_load_neither_hydra_nor_numpy():
    code = """import sys
from hpo.__main__ import main
sys.argv = ["hpo", *sys.argv[1:]]
try:
    main()
except SystemExit:
    sys.stderr.write(" ".join({name.partition(".")[0] for name in sys.modules}))
"""
    for words in (
        ["--help"],
        ["completion", "bash", "--line", "hpo wat"],
        ["completion", "bash", "--line", "hpo method="],
    ):
        result = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
        assert result.stdout
        assert not {"hydra", "numpy", "scipy", "torch"} & set(result.stderr.split())
