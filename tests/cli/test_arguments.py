"""`@file.yaml` stands for the overrides the file lists."""

import pytest

from hpo.cli.arguments import check_words, expand
from hpo.errors import ConfigError


def test_a_file_stands_where_it_is_named(tmp_path):
    path = tmp_path / "best.yaml"
    path.write_text("loss: 0.5\noverrides:\n- a=1\n- \"b=[{x: 'y z'}]\"\n")
    assert expand(["n=2", f"@{path}", "m=3"]) == ["n=2", "a=1", "b=[{x: 'y z'}]", "m=3"]


def test_a_command_line_without_files_is_unchanged():
    words = ["a=1", "+b=@x", "--help", "", "-m", "a@b=1"]
    assert expand(words) == words


@pytest.mark.parametrize("content", ["", "[]", "a: 1", "overrides: []", "overrides:", "just text", "- a=1"])
def test_a_file_without_overrides_is_an_error_that_says_so(tmp_path, content):
    path = tmp_path / "best.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match="overrides") as caught:
        expand([f"@{path}"])
    assert str(path) in str(caught.value)


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.yaml.*cannot be read"):
        expand([f"@{tmp_path}/nothing.yaml"])


@pytest.mark.parametrize("content", [b"a: [1", b"\xff\xfe\x00binary", b"overrides: 3", b"overrides: {a: 1}"])
def test_a_file_that_is_not_a_list_of_overrides_is_one_sentence(tmp_path, content):
    path = tmp_path / "best.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        expand([f"@{path}"])
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["-n", "5"], "write n_workers=5 (trials at a time) or max_num_trials=5 (trials in all)"),
        (["-n5"], "write n_workers=5 (trials at a time) or max_num_trials=5 (trials in all)"),
        (["-j=4"], "write n_workers=4 (trials at a time)"),
        (["--n_trials", "20"], "write max_num_trials=20 (trials in all)"),
        (["-n", "seed=1"], "write n_workers=... (trials at a time) or max_num_trials=... (trials in all)"),
        (["--num-seed", "3"], "keys are written without dashes, as num_seeds=3; hpo --help lists them"),
        (["-x"], "keys are written without dashes, as key=...; hpo --help lists them"),
    ],
)
def test_an_option_that_there_is_not_is_answered_with_what_was_probably_meant(words, remedy):
    with pytest.raises(ConfigError) as caught:
        check_words(["benchmark=mlp_digits", *words])
    assert str(caught.value) == f"{words[0]}: hpo has no such option; {remedy}"


@pytest.mark.parametrize(
    "words",
    [["--cfg", "job"], ["-c", "hydra"], ["--cfg=job", "-p", "benchmark"], ["--help"], ["-m", "x=1"], ["--multi", "x=1"],
     ["--info", "searchpath"], ["--hydra-help"], ["--version"], ["x=-1"]],
)  # fmt: skip
def test_options_of_hydra_are_let_through(words):
    check_words(words)
