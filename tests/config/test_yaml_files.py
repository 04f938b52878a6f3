"""Damaged and hostile YAML is one sentence, and never takes long."""

import pytest
from omegaconf import OmegaConf

from hpo.cli.arguments import expand
from hpo.config.config_folders import CONF_DIR
from hpo.config.reading import load_config, read_config, resolve, to_yaml
from hpo.config.yaml_files import check_kinds, load_yaml, read_yaml
from hpo.errors import ConfigError

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join(9 * [f'*a{i - 1}'])}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    "text",
    [
        *("seed: !!int abc", "seed: !!int ''", "seed: !!float ''", "seed: !!bool maybe", "seed: !!timestamp no"),
        *("seed: !!timestamp 2020-01-01", "seed: !!set {a}", "seed: " + "9" * 5000, "null: 1", "a: &a [*a]"),
        *("a: &a {b: *a}", "{a: " * 400 + "}" * 400, "seed: !!python/object/apply:os.getcwd []", "? [a]\n: b"),
    ],
)
def test_whatever_a_parser_raises_is_one_sentence_that_names_the_file(tmp_path, text):
    path = tmp_path / "experiment.yaml"
    path.write_text(text)
    for read in (read_yaml, read_config, lambda path: expand([f"@{path}"])):
        with pytest.raises(ConfigError) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 1000


def test_aliases_of_aliases_are_not_expanded_into_more_than_memory_holds(tmp_path):
    path = tmp_path / "bomb.yaml"
    path.write_text(BOMB)
    with pytest.raises(ConfigError, match=r"bomb\.yaml.*aliases.*100,000"):
        read_yaml(path)


def test_aliases_that_save_words_are_read(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {lower: 0, upper: 1}\nb: *a\nc: [*a, *a]\n")
    assert read_yaml(path)["c"][1]["upper"] == 1


BENCHMARK = {
    "name": "mine",
    "script": "train.py",
    "metric": "loss",
    "mode": "min",
    "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
}


@pytest.mark.parametrize(
    ("keys", "overrides"),
    [
        ({"name": object()}, {}),
        ({"arguments": {None: 1}}, {}),
        ({"n_workers": float("inf")}, {}),
        ({}, {"seed": float("nan")}),
        ({}, {"callbacks": {(1, 2): 3}}),
        ({}, {"a..b": 1}),
    ],
)
def test_values_from_python_that_no_configuration_holds_are_one_sentence(keys, overrides):
    with pytest.raises(ConfigError) as caught:
        load_config({**BENCHMARK, **keys}, "RS", **overrides)
    assert "\n" not in str(caught.value)


def test_a_configuration_that_holds_itself_is_one_sentence():
    loop: dict = {}
    loop["again"] = loop
    with pytest.raises(ConfigError, match="holds itself"):
        load_config({**BENCHMARK, "arguments": loop}, "RS")


def test_a_point_to_evaluate_that_is_a_text_is_one_sentence():
    with pytest.raises(ConfigError, match=r"^benchmark\.points_to_evaluate\b.*x"):
        resolve(load_config({**BENCHMARK, "points_to_evaluate": ["\\${x}"]}, "RS"))


def test_a_value_that_is_not_utf_8_is_one_sentence_when_it_is_to_be_stored():
    config = load_config({**BENCHMARK, "arguments": {"data": "/data/\udcff"}}, "RS")
    with pytest.raises(ConfigError, match=r"/data/.udcff.*not UTF-8"):
        to_yaml(config)


@pytest.mark.parametrize("value", ["\\${x}", "${oc.dict.keys:benchmark}"])
@pytest.mark.parametrize(
    "key", ["n_workers", "callbacks", "benchmark.config_space", "benchmark.mode", "method.scheduler"]
)
def test_what_only_an_interpolation_could_bring_to_a_key_is_one_sentence(key, value):
    with pytest.raises(ConfigError, match=key):
        load_config("mlp_digits", "ASHA", **{key: value})


@pytest.mark.long
def test_every_benchmark_and_method_that_comes_with_hpo_is_of_the_right_kinds():
    for benchmark in (CONF_DIR / "benchmark").glob("*.yaml"):
        check_kinds(load_config(benchmark.stem, "ASHA"))


@pytest.mark.parametrize(
    "text",
    [
        "a: [1, 1.5, 1e-3, .5, 1_000, 0x1f, 0o17, 010, 12:30:45, .inf, -.inf, 1., +1, 1e5, '1e5']",
        "a: [yes, No, on, true, null, ~, '', 2001-01-01, =, <<, 'é', \"\\u202e\"]",
        "a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}",
        "a: |\n  two\n  lines\nb: >\n  fol\n  ded\n",
        "{1: a, true: b, 1.5: c}",
        "",
        "text",
        "[1, {a: b}]",
        "a: 1\na: 2",
        "a: !!python/object/apply:os.system [true]",
        "a: !!python/name:os.system",
        "a: !!python/object/apply:pathlib.Path [x, y]",
        "a: [",
        "a: 1\n--- \nb: 2",
        "\t- a",
        "5",
    ],
)
def test_the_parser_in_c_gives_what_omegaconf_reads_and_refuses_what_it_refuses(tmp_path, text):
    def outcome(read):
        try:
            content = read()
            return OmegaConf.to_container(content)
        except Exception:
            return "refused"

    path = tmp_path / "file.yaml"
    path.write_text(text)
    assert outcome(lambda: load_yaml(path, text.encode())) == outcome(lambda: OmegaConf.load(path))


@pytest.mark.parametrize("text", ["[" * 200_000, "{a: " * 200_000, "- " * 200_000, "? " * 200_000], ids="[{-?")
def test_what_is_nested_too_deeply_is_one_sentence(tmp_path, text):
    (tmp_path / "file.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"file.yaml: "):
        read_yaml(tmp_path / "file.yaml")
