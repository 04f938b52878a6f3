"""How a trial's program is called: every value arrives as it is, and nothing passes through a shell."""

import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hpo.backends.arguments import as_text
from hpo.backends.executables import find_file, find_program
from hpo.backends.trial_program import Program, threads_per_trial
from hpo.config.choices import ArgumentStyle, Mode
from hpo.config.config_folders import CONF_DIR
from hpo.config.reading import load_config, resolve
from hpo.config.schema import BenchmarkConfig
from hpo.errors import ConfigError
from hpo.events.types import Trial
from hpo.randomness import Randomness
from hpo.store.directory import ExperimentDirectory
from tests.conftest import SCRIPTS

FIFO = {
    "name": "RS",
    "searcher": {"_target_": "hpo.searchers.RandomSearcher", "_partial_": True},
    "scheduler": {"_target_": "hpo.schedulers.FIFO", "_partial_": True},
}


@pytest.fixture
def make(tmp_path):
    """A function that makes the program of a benchmark with some keys changed."""

    def make(**keys):
        benchmark = {
            "name": "mine",
            "script": str(SCRIPTS / "steps.py"),
            "metric": "loss",
            "mode": "min",
            "resource_attr": "epoch",
            "max_resource_attr": "epochs",
            "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
            "arguments": {"epochs": 9},
            "n_workers": 2,
            "num_gpus_per_trial": 0,
            **keys,
        }
        benchmark = {key: value for key, value in benchmark.items() if value is not ...}
        config = resolve(load_config(benchmark, FIFO, seed=1, random_seed=5))
        return Program(config, ExperimentDirectory(tmp_path / "experiment"), Randomness(5, 1))

    return make


def options(order):
    """The options of a call as pairs."""
    words = [word for word in order["argv"] if word.startswith("--")]
    return dict(word[2:].split("=", 1) for word in words)


def test_values_are_options_of_an_argument_list(make):
    order = make().order(Trial(0, {"x": 0.25}), 0, None, [])
    assert order["argv"] == [str(SCRIPTS / "steps.py"), "--x=0.25", "--epochs=9"]
    assert order["script"] == str(SCRIPTS / "steps.py")


def test_a_command_says_where_its_arguments_go(make):
    order = make(script=None, command=["true", "{arguments}", "data.txt"]).order(Trial(0, {"x": 0.25}), 0, None, [])
    assert order["argv"][1:] == ["--x=0.25", "--epochs=9", "data.txt"]


awkward = st.sampled_from(
    ["", " ", "-", "--help", "'", '"', "a\nb", "$(reboot)", "`ls`", ";", "\\", "%s", "=", "*", "ü€"]
)


@given(value=awkward | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
@pytest.mark.long
def test_a_string_arrives_as_it_is(make, value):
    program = make(config_space={"x": {"type": "choice", "values": ["a", "b"]}})
    order = program.order(Trial(0, {"x": value}), 0, 9, [])
    assert order["argv"][1] == f"--x={value}"


@given(value=st.floats(allow_nan=False))
def test_a_float_reads_back_equal(value):
    assert float(as_text(value)) == value


@given(value=st.integers())
def test_an_integer_reads_back_equal(value):
    assert int(as_text(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "True"), (False, "False"), (None, "None"), ([1, "a b"], '[1, "a b"]'), ({"a": [True]}, '{"a": [true]}')],
)
def test_other_values_have_a_text_that_scripts_can_read(value, text):
    assert as_text(value) == text


def test_arguments_can_be_handed_over_as_one_json_file(make):
    program = make(arguments_as_json=True, arguments={"epochs": 9, "layers": [1, 2], "name": "a 'b'\n", "flag": True})
    order = program.order(Trial(0, {"x": 0.1}), 0, 3, [])
    script, path = order["argv"]
    assert script == str(SCRIPTS / "steps.py")
    with open(path) as file:  # noqa: PTH123
        assert json.load(file) == {"x": 0.1, "epochs": 3, "layers": [1, 2], "name": "a 'b'\n", "flag": True}


def test_each_attempt_has_its_own_json_file(make):
    program = make(arguments_as_json=True)
    first = program.order(Trial(0, {"x": 0.1}), 0, 1, [])["argv"][1]
    second = program.order(Trial(0, {"x": 0.1}), 1, 3, [])["argv"][1]
    assert first != second


def test_until_overwrites_the_maximum_resource(make):
    program = make()
    assert options(program.order(Trial(0, {"x": 0.5}), 0, 3, []))["epochs"] == "3"
    assert options(program.order(Trial(0, {"x": 0.5}), 1, None, []))["epochs"] == "9"


def test_without_a_maximum_resource_the_script_is_not_told_one(make):
    program = make(max_resource_attr=None, arguments={})
    assert options(program.order(Trial(0, {"x": 0.5}), 0, None, [])) == {"x": "0.5"}


CONDITIONAL = {
    "kind": {"type": "choice", "values": ["a", "b"]},
    "x": {"type": "float", "lower": 0.0, "upper": 1.0, "when": {"kind": "a"}},
    "y": {"type": "float", "lower": 0.0, "upper": 1.0, "when": {"kind": "b"}, "otherwise": -1.0},
}


@pytest.mark.parametrize("style", ["flags", "separate", "overrides", "environment", "json", "file"])
def test_what_is_not_used_is_not_passed_in_any_style(make, style, tmp_path):
    keys = {"arguments_as_json": True} if style == "json" else {"argument_style": ArgumentStyle(style)}
    if style == "file":
        template = tmp_path / "base.json"
        template.write_text(json.dumps({"kind": 0, "x": "of the file", "y": "of the file", "epochs": 0}))
        keys["config_file"] = str(template)
    program = make(config_space=CONDITIONAL, **keys)
    for configuration, expected in (
        ({"kind": "a", "x": 0.25}, {"kind": "a", "x": 0.25, "y": -1.0}),
        ({"kind": "b", "y": 0.5}, {"kind": "b", "y": 0.5}),
    ):
        order = program.order(Trial(0, configuration), 0, None, [])
        if style in ("json", "file"):
            found = json.loads(Path(order["argv"][-1]).read_text())
        elif style == "environment":
            found = {name: order["env"][name] for name in ("kind", "x", "y") if name in order["env"]}
        else:
            pairs = re.findall(r"(?:--)?(kind|x|y)[= ]'?([\w.-]+)", " ".join(order["argv"][1:]))
            found = dict(pairs)
        expected = {**({"x": "of the file", "y": "of the file"} if style == "file" else {}), **expected}
        assert {name: str(value) for name, value in found.items() if name != "epochs"} == {
            name: str(value) for name, value in expected.items()
        }


def test_a_place_that_the_file_lacks_is_found_though_the_first_trial_does_not_need_it(make, tmp_path):
    template = tmp_path / "base.json"
    template.write_text(json.dumps({"kind": 0, "x": 0, "epochs": 0}))
    space = {name: {k: v for k, v in spec.items() if k != "otherwise"} for name, spec in CONDITIONAL.items()}
    with pytest.raises(ConfigError, match=r"y: benchmark\.config_file=.* has no such place"):
        make(config_space=space, argument_style=ArgumentStyle.file, config_file=str(template))


def test_constants_of_the_space_are_arguments_too(make):
    program = make(config_space={"x": {"type": "float", "lower": 0, "upper": 1}, "optimizer": "adam"})
    assert options(program.order(Trial(0, {"x": 0.5}), 0, 9, [])) == {"x": "0.5", "optimizer": "adam", "epochs": "9"}


def test_the_checkpoint_folder_is_an_argument_where_the_script_wants_it(make, tmp_path):
    program = make(checkpoint_argument="st_checkpoint_dir")
    orders = [program.order(Trial(4, {"x": 0.5}), attempt, 9, []) for attempt in (0, 1)]
    folder = str(tmp_path / "experiment" / "trials" / "4" / "checkpoint")
    assert [options(order)["st_checkpoint_dir"] for order in orders] == [folder, folder]
    assert os.path.isdir(folder)  # noqa: PTH112


def test_data_is_an_absolute_path(make, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    assert options(make(data="sets/a").order(Trial(0, {"x": 0.5}), 0, 9, []))["data"] == f"{tmp_path}/sets/a"
    assert options(make(data="~/sets").order(Trial(0, {"x": 0.5}), 0, 9, []))["data"] == "/home/someone/sets"


def test_the_environment_says_everything_a_script_needs(make, tmp_path):
    root = tmp_path / "experiment"
    program = make()
    environment = program.order(Trial(7, {"x": 0.5}), 2, 9, ["3", "1"])["env"]
    seed = environment.pop("HPO_TRIAL_SEED")
    assert environment == {
        "HPO_REPORT_FILE": str(root / "trials/7/attempt_2/reports.jsonl"),
        "HPO_CHECKPOINT_DIR": str(root / "trials/7/checkpoint"),
        "HPO_TRIAL_ID": "7",
        "HPO_EXPERIMENT_DIR": str(root),
        "CUDA_VISIBLE_DEVICES": "3,1",
        "OMP_NUM_THREADS": str(max(len(os.sched_getaffinity(0)) // 2, 1)),
    }
    assert 0 <= int(seed) < 2**31


def test_a_trial_without_gpus_sees_none(make):
    assert make().order(Trial(0, {"x": 0.5}), 0, 9, [])["env"]["CUDA_VISIBLE_DEVICES"] == ""


def test_the_training_seed_depends_on_the_configuration_and_on_nothing_of_the_trial(make):
    program = make()

    def seed(trial, attempt, until):
        return program.order(trial, attempt, until, [])["env"]["HPO_TRIAL_SEED"]

    assert seed(Trial(0, {"x": 0.5}), 0, 1) == seed(Trial(8, {"x": 0.5}), 3, 9)
    assert seed(Trial(0, {"x": 0.5}), 0, 1) != seed(Trial(0, {"x": 0.6}), 0, 1)


def test_the_files_of_an_attempt_are_where_the_design_puts_them(make, tmp_path):
    order = make().order(Trial(7, {"x": 0.5}), 2, 9, [])
    folder = tmp_path / "experiment/trials/7/attempt_2"
    assert order["stdout"] == str(folder / "stdout.log")
    assert order["stderr"] == str(folder / "stderr.log")
    assert (folder / "reports.jsonl").is_file()


def test_reports_of_a_syne_tune_script_are_its_output(make, tmp_path):
    assert make(report_channel="syne_tune").reports(7, 2) == tmp_path / "experiment/trials/7/attempt_2/stdout.log"


@pytest.mark.parametrize("limit", [None, float("inf"), 1e305])
def test_logs_without_a_limit_are_not_capped(make, limit):
    program = make()
    program = replace(program, config=replace(program.config, max_log_megabytes=limit))
    assert "capped" not in program.order(Trial(7, {"x": 0.5}), 2, 9, [])


def test_threads_are_the_cores_shared_among_the_workers():
    cores = len(os.sched_getaffinity(0))
    assert threads_per_trial(max(cores, 2)) == threads_per_trial(1000) == {"OMP_NUM_THREADS": "1"}


def test_an_only_worker_has_the_threads_that_libraries_take_by_themselves(make, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert threads_per_trial(1) == {}
    assert "OMP_NUM_THREADS" not in make(n_workers=1).environment_of_host


def test_threads_that_the_user_has_set_are_kept(make, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert threads_per_trial(1) == {"OMP_NUM_THREADS": "5"}
    assert make(n_workers=8).environment_of_host["OMP_NUM_THREADS"] == "5"


# ---------------------------------------------------------------------- finding the program


def benchmark(**keys):
    return BenchmarkConfig(name="mine", metric="loss", mode=Mode.min, config_space={}, **keys)


def test_a_script_is_looked_for_here_first_and_then_beside_the_groups(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "training_scripts/mlp_digits/train.py"
    assert find_file(name) == CONF_DIR.parent / name
    here = tmp_path / name
    here.parent.mkdir(parents=True)
    here.touch()
    assert find_file(name) == here
    assert find_file(str(here)) == here


def test_a_python_script_runs_with_this_interpreter(tmp_path):
    path = tmp_path / "train.py"
    path.touch()
    assert find_program(benchmark(script=str(path))) == [sys.executable, str(path)]


def test_an_executable_script_is_its_own_program(tmp_path):
    path = tmp_path / "train.sh"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    assert find_program(benchmark(script=str(path))) == [str(path)]


def test_a_missing_script_is_an_error_that_says_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"benchmark\.script=nowhere\.py") as caught:
        find_program(benchmark(script="nowhere.py"))
    assert str(tmp_path) in str(caught.value)
    assert str(CONF_DIR) in str(caught.value)


def test_a_script_that_cannot_be_executed_is_an_error_with_the_remedy(tmp_path):
    path = tmp_path / "train.sh"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match=r"benchmark\.script=.*chmod \+x.*benchmark\.command"):
        find_program(benchmark(script=str(path)))


def test_a_folder_is_not_a_script(tmp_path):
    with pytest.raises(ConfigError, match=r"benchmark\.script="):
        find_program(benchmark(script=str(tmp_path)))


def test_a_command_is_looked_for_on_the_path(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "trainer"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    assert find_program(benchmark(command=["trainer", "--fast"])) == [str(program), "--fast"]


def test_the_script_of_a_command_becomes_absolute_and_other_words_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.sh").touch()
    (tmp_path / "data").touch()
    bash, *rest = find_program(benchmark(command=["bash", "train.sh", "--fast", "data"]))
    assert bash.endswith("/bash")
    assert rest == [str(tmp_path / "train.sh"), "--fast", "data"]


def test_a_program_that_is_not_on_the_path_is_an_error_that_names_it():
    with pytest.raises(ConfigError, match=r"benchmark\.command=.*no-such-program"):
        find_program(benchmark(command=["no-such-program", "a"]))


def test_an_empty_command_is_an_error_that_names_the_key():
    with pytest.raises(ConfigError, match=r"benchmark\.command=\[\]"):
        find_program(benchmark(command=[]))


def test_a_missing_program_is_an_error_before_any_trial(make):
    with pytest.raises(ConfigError, match=r"benchmark\.script=/nowhere/train\.py"):
        make(script="/nowhere/train.py")


@pytest.mark.parametrize(("preload", "forked"), [([], True), (["json"], True), (None, False)])
def test_a_python_script_is_forked_unless_preload_is_null(make, preload, forked):
    program = make(preload=preload)
    order = program.order(Trial(0, {"x": 0.5}), 0, 9, [])
    script = str(SCRIPTS / "steps.py")
    assert order["script"] == (script if forked else None)
    assert order["argv"][:-2] == ([script] if forked else [sys.executable, script])


def test_what_a_script_imports_first_is_for_the_host_where_nothing_else_is_said(make, tmp_path):
    script = tmp_path / "train.py"
    script.write_text("import argparse\nimport numpy as np\nfrom scipy.stats import norm\nimport hpo\n")
    assert make(script=str(script), preload=...).preload == ["auto:", "numpy", "scipy.stats:norm"]
    assert make(script=str(script), preload="auto").preload == ["auto:", "numpy", "scipy.stats:norm"]
    assert make(script=str(script), preload=["json"]).preload == ["json"]
    assert make(script=str(script), preload=[]).preload == make(script=str(script), preload=None).preload == []
    assert make(preload="auto").preload == []  # it imports nothing that is installed
    python = make(script=..., command=[sys.executable, str(script)], preload="auto")
    assert python.preload == ["auto:", "numpy", "scipy.stats:norm"]
    assert make(script=..., command=["env", str(script)], preload="auto").preload == []


def test_a_command_is_never_forked(make):
    order = make(script=..., command=["bash", "-c", "true"]).order(Trial(0, {"x": 0.5}), 0, 9, [])
    assert order["script"] is None
    assert order["argv"][1:] == ["-c", "true", "--x=0.5", "--epochs=9"]


def test_a_changed_number_of_workers_changes_the_threads(make):
    program = make()
    program = replace(program, config=replace(program.config, n_workers=1000))
    assert program.order(Trial(0, {"x": 0.5}), 0, 9, [])["env"]["OMP_NUM_THREADS"] == "1"


def test_logs_have_a_limit_but_one_that_carries_reports(make):
    order = make().order(Trial(0, {"x": 0.25}), 0, None, [])
    assert (order["capped"], order["most_log_bytes"]) == (["stdout", "stderr"], 100_000_000)
    assert make(report_channel="syne_tune").order(Trial(1, {"x": 0.25}), 0, None, [])["capped"] == ["stderr"]
    program = make()
    unlimited = replace(program, config=replace(program.config, max_log_megabytes=None))
    assert "capped" not in unlimited.order(Trial(2, {"x": 0.25}), 0, None, [])


# ---------------------------------------------------------------------- other ways to hand over

TRIAL = Trial(3, {"x": 0.25})


@pytest.mark.parametrize(
    ("style", "tail"),
    [
        ("flags", ["--x=0.25", "--epochs=3"]),
        ("separate", ["--x", "0.25", "--epochs", "3"]),
        ("positional", ["0.25", "3"]),
    ],
)
def test_arguments_are_written_in_the_style_of_the_benchmark(make, style, tail):
    assert make(argument_style=style).order(TRIAL, 0, 3, [])["argv"][1:] == tail


def test_a_hydra_app_writes_into_the_folder_of_the_attempt_unless_it_is_told_otherwise(make, tmp_path):
    argv = make(argument_style="overrides").order(TRIAL, 1, 3, [])["argv"]
    folder = tmp_path / "experiment/trials/3/attempt_1"
    assert argv[1:] == ["x=0.25", "epochs=3", f"hydra.run.dir='{folder}'", "hydra.output_subdir=null"]
    own = make(argument_style="overrides", arguments={"epochs": 9, "hydra.run.dir": "mine"})
    assert own.order(TRIAL, 0, 3, [])["argv"][1:] == ["x=0.25", "epochs=3", "hydra.run.dir='mine'"]
    kept = make(argument_style="overrides", working_directory="trial").order(TRIAL, 1, 3, [])
    assert f"hydra.run.dir='{kept['cwd']}'" in kept["argv"], "what it writes is there for its next attempt"


def test_variables_of_the_user_do_not_take_the_place_of_hpo_s(make):
    space = {"x": {"type": "float", "lower": 0.0, "upper": 1.0, "argument": "$RATE"}}
    order = make(config_space=space, arguments={"epochs": 9, "$HPO_TRIAL_ID": 77}).order(TRIAL, 0, 3, [])
    assert order["env"]["RATE"] == "0.25"
    assert order["env"]["HPO_TRIAL_ID"] == "3"
    assert order["argv"][1:] == ["--epochs=3"]


def test_words_that_stand_for_the_trial_are_filled_in_where_the_user_wrote_them(make, tmp_path):
    space = {"x": {"type": "choice", "values": ["{trial_id}", "b"]}}
    constants = {"epochs": 9, "out": "{checkpoint_dir}/{trial_id}", "seed": "{trial_seed}", "left": "{x}"}
    program = make(config_space=space, script=..., command=["sh", "run.sh", "job-{trial_id}"], arguments=constants)
    order = program.order(Trial(3, {"x": "{trial_id}"}), 0, 3, [])
    seed = order["env"]["HPO_TRIAL_SEED"]
    assert order["argv"][1:] == [
        "run.sh", "job-3", "--x={trial_id}", "--epochs=3", f"--out={tmp_path}/experiment/trials/3/checkpoint/3",
        f"--seed={seed}", "--left={x}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "where"),
    [({"epochs": 9}, [-1]), ({"epochs": 9, "--config": "{config_file}"}, None)],
    ids=["last word", "as it says"],
)
def test_each_attempt_gets_a_copy_of_the_user_s_file_with_its_values(make, tmp_path, arguments, where):
    template = tmp_path / "base.yaml"
    template.write_text("optimizer: {lr: 0.5}\nepochs: 1\nname: a\n")
    space = {"x": {"type": "float", "lower": 0.0, "upper": 1.0, "argument": "optimizer.lr"}}
    program = make(config_space=space, argument_style="file", config_file=str(template), arguments=arguments)
    order = program.order(TRIAL, 0, 3, [])
    path = tmp_path / "experiment/trials/3/attempt_0/arguments.yaml"
    assert yaml.safe_load(path.read_text()) == {"optimizer": {"lr": 0.25}, "epochs": 3, "name": "a"}
    assert order["argv"][1:] == [str(path) if where else f"--config={path}"]


def test_a_place_that_the_file_has_not_is_an_error_before_the_first_trial(make, tmp_path):
    template = tmp_path / "base.json"
    template.write_text('{"epochs": 1, "xs": 2}')
    with pytest.raises(ConfigError, match=r"x: benchmark\.config_file=.*did you mean xs\?"):
        make(argument_style="file", config_file=str(template))


def test_the_json_file_can_be_named_by_an_option_as_the_scripts_of_syne_tune_take_it(make, tmp_path):
    order = make(arguments_as_json="st_config_json_filename").order(TRIAL, 0, 3, [])
    path = tmp_path / "experiment/trials/3/attempt_0/arguments.json"
    assert order["argv"][1:] == [f"--st_config_json_filename={path}"]
    assert json.loads(path.read_text()) == {"x": 0.25, "epochs": 3}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"argument_style": "file"}, "benchmark.config_file belong together"),
        ({"config_file": "a.json"}, "belong together"),
        ({"arguments_as_json": True, "argument_style": "separate"}, "remove benchmark.argument_style=separate"),
    ],
)
def test_keys_that_do_not_fit_are_one_sentence(make, keys, words):
    with pytest.raises(ConfigError, match=words):
        make(**keys)


@pytest.mark.parametrize(("python", "forked"), [("python3", True), ("/usr/bin/env", False)])
def test_a_command_that_is_this_python_and_a_script_is_forked_with_its_fixed_arguments(
    make, python, forked, monkeypatch
):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    script = str(SCRIPTS / "steps.py")
    order = make(script=..., command=[python, script, "fit", "--foo=1"]).order(TRIAL, 0, 3, [])
    assert order["script"] == (script if forked else None)
    tail = [script, "fit", "--foo=1", "--x=0.25", "--epochs=3"]
    assert order["argv"] == (tail if forked else [python, *tail])
