"""A configuration file for each trial, made from the user's own."""

import json
import tomllib

import pytest
import yaml

from hpo.config.templates import Template
from hpo.errors import ConfigError

CONTENT = {"optimizer": {"lr": 0.5, "name": "sgd"}, "layers": [{"width": 8}, {"width": 16}], "a.b": 1, "seed": 0}
READ = {".json": json.loads, ".yaml": yaml.safe_load, ".yml": yaml.safe_load, ".toml": tomllib.loads}
TOML = """
"a.b" = 1
seed = 0
layers = [{width = 8}, {width = 16}]
[optimizer]
lr = 0.5
name = "sgd"
"""


@pytest.fixture(params=READ)
def template(request, tmp_path):
    path = tmp_path / f"base{request.param}"
    path.write_text(TOML if request.param == ".toml" else json.dumps(CONTENT))
    return Template.read(path)


def test_values_are_set_where_their_names_lead_and_all_else_stays(template):
    text = template.text(
        {"optimizer.lr": 1e-05, "layers.1.width": 32, "a.b": 2, "seed": 7, "optimizer.name": "it's: #1"}
    )
    expected = {
        "optimizer": {"lr": 1e-05, "name": "it's: #1"},
        "layers": [{"width": 8}, {"width": 32}],
        "a.b": 2,
        "seed": 7,
    }
    assert READ[template.path.suffix](text) == expected
    assert template.content == CONTENT, "the next trial begins with the user's file"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("optimizer.rl", "did you mean optimizer.lr?"),
        ("sead", "did you mean seed?"),
        ("layers.2.width", "has no such place"),
        ("seed.x", "has no such place"),
    ],
)
def test_a_name_that_leads_nowhere_is_said_with_the_nearest(template, name, words):
    with pytest.raises(ConfigError) as caught:
        template.text({name: 1})
    assert str(caught.value).startswith(f"{name}: benchmark.config_file=")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.ini", "", "must end in .json, .toml, .yaml, .yml"),
        ("a.json", "{", "cannot be read"),
        ("a.toml", "a = ", "cannot be read"),
        ("a.yaml", "a: [", "cannot be read"),
        ("a.yaml", "[1]", "not a mapping"),
        ("missing.yaml", None, "cannot be read"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(tmp_path, name, text, words):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as caught:
        Template.read(tmp_path / name)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
