"""The command as a user calls it: real processes in a working directory with the user's own YAML."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

import hpo
from hpo.cli.run import _Call, _conclude
from hpo.events.types import Kind, Status
from hpo.results.experiment import load_experiment
from tests.conftest import SCRIPTS, error_of, succeeded

pytestmark = pytest.mark.process

FILES = {"experiment.yaml", "metadata.json", "events.db", "results.csv.zip", "best.yaml", "trials"}


def statuses(directory):
    return [state.status for state in load_experiment(directory).state.trials.values()]


def until(condition, seconds=60):
    """Wait for a condition; a machine may be slow, but not that slow."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def started(directory):
    """Has a trial of the experiment reported?"""
    return any(path.stat().st_size for path in directory.glob("trials/*/attempt_*/reports.jsonl"))


# ---------------------------------------------------------------------- what a run does


def test_one_experiment_writes_its_files_and_says_how_it_went(workplace):
    out = succeeded(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t"))
    directory = workplace.directory("t")
    assert {path.name for path in directory.iterdir()} >= FILES
    for trial in range(3):
        attempt = directory / "trials" / str(trial) / "attempt_0"
        assert {path.name for path in attempt.iterdir()} >= {"reports.jsonl", "stdout.log", "stderr.log"}
        assert (directory / "trials" / str(trial) / "checkpoint" / "epoch").read_text() == "3"
    assert json.loads((workplace.path / "outputs/t/tag.json").read_text())["random_seed"] >= 0
    experiment = load_experiment(directory)
    assert len(experiment.reports) == 9
    best = experiment.reports["loss"].min()
    assert f"{best:.6g}" in out
    assert "3 completed" in out
    assert "outputs/t/mine/RS/seed_0" in out
    assert "max_num_trials=3" in out
    assert experiment.metadata["random_seed"] == experiment.config.random_seed
    assert f"random_seed={experiment.config.random_seed}" in out


def test_a_good_run_says_nothing_on_standard_error(workplace):
    assert workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t").stderr == ""


def test_a_relative_config_dir_works(workplace):
    done = subprocess.run(
        [sys.executable, "-m", "hpo", "--config-dir", "./conf", "benchmark=mine", "method=RS", "experiment_tag=t"],
        cwd=workplace.path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    succeeded(done)


def test_the_same_command_again_skips_what_is_complete(complete):
    command = ("benchmark=mine", "method=RS", "experiment_tag=t")
    before = (complete.directory("t") / "results.csv.zip").read_bytes()
    out = succeeded(complete.hpo(*command))
    assert "had finished already" in out
    assert (complete.directory("t") / "results.csv.zip").read_bytes() == before
    assert len(load_experiment(complete.directory("t")).state.trials) == 3


def test_a_grown_budget_goes_on_where_it_ended(complete):
    first = load_experiment(complete.directory("t"))
    succeeded(complete.hpo("benchmark=mine", "method=RS", "experiment_tag=t", "max_num_trials=5"))
    second = load_experiment(complete.directory("t"))
    assert len(second.state.trials) == 5
    assert second.events[: len(first.events)] == first.events
    assert second.config.random_seed == first.config.random_seed
    assert second.state.elapsed > first.state.elapsed
    configurations = [json.dumps(state.trial.configuration) for state in second.state.trials.values()]
    assert len(set(configurations)) == 5, "no configuration is tried twice"


def test_two_methods_and_two_seeds_are_four_directories(workplace):
    out = succeeded(workplace.hpo("benchmark=mine", "method=RS,ASHA", "seed=0,1", "experiment_tag=t"))
    places = [workplace.directory("t", method, seed) for method in ("RS", "ASHA") for seed in (0, 1)]
    experiments = [load_experiment(place) for place in places]
    assert [(e.metadata["algorithm"], e.metadata["seed"]) for e in experiments] == [
        ("RS", 0), ("RS", 1), ("ASHA", 0), ("ASHA", 1)
    ]  # fmt: skip
    assert len({e.config.random_seed for e in experiments}) == 1, "one master seed for all"
    assert "4 of 4" in out
    first = [[dict(s.trial.configuration) for s in e.state.trials.values()][:3] for e in experiments]
    assert first[0] == first[2], "methods of the same seed share the initial configurations"
    assert first[1] == first[3]
    assert first[0] != first[1]


@pytest.mark.parametrize(
    ("overrides", "seeds"),
    [
        (["num_seeds=2"], [0, 1]),
        (["start_seed=1", "num_seeds=2"], [1]),
        (["seed=4,5", "num_seeds=2"], [4, 5]),
        ([], [0]),
    ],
)
def test_seeds_are_start_seed_to_num_seeds_minus_one(workplace, overrides, seeds):
    succeeded(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t", "max_num_trials=1", *overrides))
    found = {path.name for path in (workplace.path / "outputs/t/mine/RS").iterdir()}
    assert found == {f"seed_{seed}" for seed in seeds}


def test_a_given_random_seed_makes_two_runs_equal(workplace):
    for tag in ("a", "b"):
        succeeded(
            workplace.hpo("benchmark=mine", "method=RS", f"experiment_tag={tag}", "random_seed=11", "n_workers=1")
        )
    a, b = (load_experiment(workplace.directory(tag)) for tag in ("a", "b"))
    assert list(a.reports["config_x"]) == list(b.reports["config_x"])
    assert list(a.reports["loss"]) == list(b.reports["loss"])
    assert a.metadata["random_seed"] == 11


def test_without_a_tag_the_directory_is_date_and_time(workplace):
    succeeded(workplace.hpo("benchmark=mine", "method=RS"))
    (folder,) = (workplace.path / "outputs").iterdir()
    time.strptime(folder.name[:19], "%Y-%m-%d-%H-%M-%S")
    succeeded(workplace.hpo("benchmark=mine", "method=RS"))
    assert len(list((workplace.path / "outputs").iterdir())) == 2, "a complete one is not used again"


def test_best_yaml_starts_a_new_search(complete):
    best = load_experiment(complete.directory("t")).best
    assert best is not None
    succeeded(complete.hpo("benchmark=mine", "method=RS", "experiment_tag=b", f"@{complete.directory('t')}/best.yaml"))
    again = load_experiment(complete.directory("b"))
    assert dict(again.state.trials[0].trial.configuration) == best["configuration"]
    assert again.best is not None
    assert again.best["loss"] <= best["loss"]


def test_overwrite_starts_again(complete):
    command = ("benchmark=mine", "method=RS", "experiment_tag=t")
    left = complete.write("outputs/t/mine/RS/seed_0/trials/0/left", "")
    succeeded(complete.hpo(*command, "random_seed=2", "overwrite=true"))
    assert load_experiment(complete.directory("t")).config.random_seed == 2
    assert not left.exists()


def test_asha_pauses_and_resumes_from_checkpoints(workplace):
    workplace.benchmark(arguments={"epochs": 9}, max_num_trials=9)
    succeeded(workplace.hpo("benchmark=mine", "method=ASHA", "experiment_tag=t"))
    experiment = load_experiment(workplace.directory("t", "ASHA"))
    resumed = [event for event in experiment.events if event.kind == Kind.RESUMED]
    assert resumed, "nothing was promoted"
    for trial, rows in experiment.reports.groupby("trial_id"):
        assert list(rows["epoch"]) == list(range(1, len(rows) + 1)), f"trial {trial} trained an epoch twice"
    assert {len(rows) for _, rows in experiment.reports.groupby("trial_id")} <= {1, 3, 9}


def test_a_metric_whose_mode_contradicts_its_name_is_a_warning_once_a_command_and_in_each_log(workplace):
    script = workplace.write("train.py", "import hpo\nhpo.report(epoch=1, val_acc=0.5)\n")
    workplace.benchmark(script=str(script), metric="val_acc", mode="min")
    done = workplace.hpo("benchmark=mine", "method=RS", "num_seeds=2", "experiment_tag=t", "max_num_trials=1")
    succeeded(done)
    assert done.stderr.count("benchmark.metric=val_acc, benchmark.mode=min") == len(done.stderr.splitlines()) == 1
    logs = [workplace.directory("t", seed=seed) / "hpo.log" for seed in (0, 1)]
    assert [log.read_text().count("benchmark.metric=val_acc, benchmark.mode=min") for log in logs] == [1, 1]
    table = ("benchmark=nasbench201_cifar100", "benchmark.mode=min", "method=RS,ASHA", "num_seeds=3")
    done = workplace.hpo(*table, "experiment_tag=s", "max_num_trials=2")
    assert done.stderr.count("benchmark.mode=min") == 1, "simulated ones run in processes of their own"


def test_without_a_budget_it_is_said_that_nothing_but_an_interruption_ends_it(workplace):
    workplace.benchmark(max_num_trials=..., max_wallclock_time=...)
    with workplace.start("benchmark=mine", "method=RS", "experiment_tag=t") as process:
        line = next(line for line in process.stderr if "budget" in line)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert "no budget is given (max_num_trials, max_wallclock_time, ...)" in line
    assert process.returncode == 130
    assert (
        "no budget" not in workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t", "max_num_trials=1").stderr
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_in_order_and_the_same_command_goes_on(workplace, number, code):
    workplace.benchmark(arguments={"epochs": 40, "sleep": 0.03}, max_num_trials=2)
    command = ("benchmark=mine", "method=RS", "experiment_tag=t")
    with workplace.start(*command) as process:
        until(lambda: started(workplace.directory("t")))
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "interrupted" in out
    assert "Traceback" not in err
    interrupted = load_experiment(workplace.directory("t"))
    assert interrupted.state.finished is None
    assert interrupted.state.reports > 0
    assert set(statuses(workplace.directory("t"))) <= {Status.INTERRUPTED, Status.COMPLETED}
    succeeded(workplace.hpo(*command))
    experiment = load_experiment(workplace.directory("t"))
    assert set(statuses(workplace.directory("t"))) == {Status.COMPLETED}
    assert experiment.events[: len(interrupted.events)] == interrupted.events
    for _, rows in experiment.reports.groupby("trial_id"):
        epochs = list(rows["epoch"])
        assert epochs == sorted(set(epochs))
        # A script that ended between its checkpoint and its report does not report that epoch again.
        assert len(epochs) >= 39
        assert epochs[-1] == 40


def test_standard_output_that_takes_only_ascii_is_no_error(workplace):
    command = ("benchmark=mine", "method=RS", "experiment_tag=t")
    assert "mine" in succeeded(workplace.hpo(*command, PYTHONIOENCODING="ascii"))


def test_standard_output_that_nobody_reads_is_no_error_of_hpo(workplace):
    with workplace.start("benchmark=mine", "method=RS", "experiment_tag=t") as process:
        assert process.stdout is not None
        process.stdout.close()
        process.wait(timeout=60)
        assert "Traceback" not in process.stderr.read()


# ---------------------------------------------------------------------- help, config, completion


def test_help_names_overrides_groups_and_verbs(workplace):
    out = succeeded(workplace.hpo("--help"))
    words = ("benchmark", "method", "launcher", "ASHA-STOP", "mine", "n_workers", "status", "replay")
    assert [word for word in words if word not in out] == []
    assert "key=value" in out


def test_cfg_job_shows_what_would_run_and_runs_nothing(workplace):
    out = succeeded(workplace.hpo("benchmark=mine", "method=ASHA", "--cfg", "job"))
    shown = yaml.safe_load(out)
    assert shown["benchmark"]["name"] == "mine"
    assert shown["method"]["name"] == "ASHA"
    assert not (workplace.path / "outputs").exists()


def test_the_command_alone_is_the_help_and_with_a_tag_the_defaults(workplace):
    help_text = succeeded(workplace.verb())
    assert "== Run experiments: hpo key=value ... ==" in help_text
    out = succeeded(workplace.hpo("experiment_tag=x", "--cfg", "job"))
    assert yaml.safe_load(out)["benchmark"]["name"] == "resnet_cifar10"
    assert [line for line in out.splitlines() if line.startswith("# outputs")] == [
        f"# outputs/x/resnet_cifar10/{method}/seed_0" for method in ("RS", "BO", "ASHA", "MOBSTER")
    ]


def test_which_seeds_run_is_said_where_the_first_is_not_0(workplace):
    out = succeeded(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t", "start_seed=5", "num_seeds=7"))
    assert out.startswith("seeds 5 to 6: start_seed=5, and num_seeds=7 counts from 0\n")


def test_the_traceback_is_shown_where_hydras_variable_asks_for_it(workplace):
    assert "Traceback" not in workplace.hpo("benchmark=nope").stderr
    err = workplace.hpo("benchmark=nope", HYDRA_FULL_ERROR="1").stderr
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("hpo: error: ")


# ---------------------------------------------------------------------- what users get wrong


UNSET = "${oc.env:NOT_THERE}"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            [f"+benchmark.arguments.token='{UNSET}'"],
            ["benchmark.arguments.token=${hpo.env:NOT_THERE}", "no environment variable NOT_THERE; set it"],
        ),
        ([f"+callbacks.mine={{_target_: hpo.Callback, key: '{UNSET}'}}"], ["callbacks.mine.key", "NOT_THERE"]),
        (["benchmark.script=null", "benchmark.function=nomodule:f"], ["benchmark.function=nomodule:f", "no module"]),
    ],
)
def test_what_keeps_a_trial_from_starting_is_said_before_anything_is_written(workplace, overrides, words):
    sentence = refused(workplace, *overrides)
    assert [word for word in [*words, "no experiment was started"] if word not in sentence] == [], sentence
    assert not (workplace.path / "outputs").exists()


def refused(workplace, *overrides, **environment):
    result = workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t", *overrides, **environment)
    return error_of(result)


def test_an_unknown_benchmark_lists_those_there_are(workplace):
    sentence = error_of(workplace.hpo("benchmark=nothing", "method=RS"))
    assert "nothing" in sentence
    assert "mine" in sentence
    assert "mlp_digits" in sentence


def test_an_unknown_method_lists_those_there_are(workplace):
    sentence = error_of(workplace.hpo("benchmark=mine", "method=ANNEALING"))
    assert "ANNEALING" in sentence
    assert "ASHA-STOP" in sentence


@pytest.mark.parametrize("key", ["n_worker", "benchmark.metrics", "method.schedular.brackets", "hydra.nothing"])
def test_an_unknown_key_is_named(workplace, key):
    assert key.rpartition(".")[2] in refused(workplace, f"{key}=2") or key in refused(workplace, f"{key}=2")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("n_workers=many", ["n_workers", "many"]),
        ("n_workers=0", ["n_workers=0", "positive"]),
        ("max_wallclock_time=-1", ["max_wallclock_time=-1", "positive"]),
        ("seed=x", ["seed", "x"]),
        ("random_seed=-3", ["random_seed=-3"]),
        ("benchmark.mode=maximum", ["mode", "maximum"]),
        ("benchmark.config_space.x.type=flaot", ["config_space.x.type", "flaot", "float"]),
        ("benchmark.config_space.x.lower=2", ["config_space.x", "lower=2"]),
        ("backend.name=cloud", ["backend=cloud", "local"]),
        ("method.searcher._target_=hpo.searchers.Nothing", ["method.searcher._target_", "Nothing"]),
        ("n_workers=[1", ["n_workers=[1"]),
        ("+benchmark.points_to_evaluate=[{y: 1}]", ["points_to_evaluate", "y"]),
        ("@nothing.yaml", ["nothing.yaml"]),
    ],
)
def test_a_wrong_value_is_named_with_its_key(workplace, override, words):
    sentence = refused(workplace, override)
    assert [word for word in words if word not in sentence] == [], sentence


def test_a_mistake_leaves_nothing_on_the_disk(workplace):
    refused(workplace, "n_workers=0")
    assert not (workplace.path / "outputs").exists() or not list(workplace.path.glob("outputs/t/*"))


def test_a_misspelt_key_in_the_user_s_yaml_is_named(workplace):
    workplace.benchmark(metrik="loss")
    assert "metrik" in refused(workplace)


def test_a_user_s_yaml_that_cannot_be_parsed_is_named(workplace):
    workplace.write("conf/benchmark/mine.yaml", "name: mine\nmetric: [loss\n")
    assert "mine.yaml" in refused(workplace)


def test_a_tag_with_an_underscore_gets_a_suggestion(workplace):
    sentence = error_of(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=my_tag"))
    assert "experiment_tag" in sentence
    assert "my-tag" in sentence


@pytest.mark.parametrize("overrides", [["start_seed=3", "num_seeds=2"], ["num_seeds=0"], ["start_seed=1"]])
def test_an_empty_range_of_seeds_is_named(workplace, overrides):
    sentence = refused(workplace, *overrides)
    assert "num_seeds" in sentence
    assert "start_seed" in sentence


def test_a_missing_script_is_named(workplace):
    assert "benchmark.script=nowhere.py" in refused(workplace, "benchmark.script=nowhere.py")


def test_a_script_that_is_not_executable_is_named_with_the_remedy(workplace):
    workplace.write("train.sh", "#!/bin/sh\n")
    sentence = refused(workplace, "benchmark.script=train.sh")
    assert "benchmark.script=train.sh" in sentence
    assert "chmod +x" in sentence


def test_a_program_that_is_not_on_the_path_is_named(workplace):
    sentence = refused(workplace, "benchmark.script=null", "benchmark.command=[no-such-program]")
    assert "no-such-program" in sentence


def test_a_name_with_a_dot_is_set_in_braces(workplace):
    workplace.benchmark("dotted", arguments={"epochs": 3, "trainer.max_epochs": 1})
    given = ["benchmark=dotted", "method=RS", "--cfg", "job", "-p", "benchmark.arguments"]
    sentence = error_of(workplace.hpo(*given, "benchmark.arguments.trainer.max_epochs=3"))
    said = "benchmark.arguments={trainer.max_epochs: 3}"
    assert f"a name with a dot stands in braces; write '{said}'" in sentence
    assert "trainer.max_epochs: 3" in succeeded(workplace.hpo(*given, said))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["+n_worker=2"], ["n_worker:", "did you mean n_workers?"]),
        (["+foo.bar=2"], ["foo:", "no such key"]),
        (["++foo=2"], ["foo:", "no such key"]),
        (["+benchmark.metrik=2"], ["benchmark.metrik:", "did you mean metric?"]),
        (["+method.foo=2"], ["method.foo:", "name, searcher, scheduler"]),
        (["+backend.foo=2"], ["backend.foo:", "_target_"]),
        (["=3"], ["'=3'", "key=value"]),
        (["+=3"], ["'+=3'", "key=value"]),
        (["n_worker=2"], ["n_worker=2", "did you mean n_workers?"]),
        (["methd=RS"], ["methd=RS", "did you mean method?"]),
        (["method.schedular.brackets=2"], ["method.schedular.brackets=2", "did you mean scheduler?"]),
        (["method.scheduler.brackets=2"], ["method.scheduler.brackets=2", "+method.scheduler.brackets=2"]),
        (["+method.searcher.foo=1"], ["method.searcher.foo=1", "RandomSearcher", "it takes none"]),
        (["method=ASHA", "+method.scheduler.reduction_facto=1"], ["ASHA", "did you mean reduction_factor?"]),
        (["method=ASHA", "+method.scheduler.foo=1"], ["ASHA", "it takes", "reduction_factor"]),
        (["n_workers=two"], ["n_workers=two", "a whole number"]),
        (["n_workers=2,two"], ["n_workers=two", "a whole number"]),
        (["max_num_trials=1e3"], ["max_num_trials=1000", "a whole number"]),
        (["max_wallclock_time=1h"], ["max_wallclock_time=1h", "seconds", "max_wallclock_time=3600"]),
        (["max_wallclock_time=30min"], ["max_wallclock_time=30min", "max_wallclock_time=1800"]),
        (["delete_checkpoints=maybe"], ["delete_checkpoints=maybe", "true or false"]),
        (["max_failures=null"], ["max_failures=null", "cannot be null", "max_failures=1000000 for no limit"]),
        (["resume=null"], ["resume=null", "cannot be null: leave it out; otherwise use true or false"]),
        (["gpus_to_use=0"], ["gpus_to_use=0", "'gpus_to_use=[0]'"]),
        (["gpus_to_use=[a]"], ["gpus_to_use[0]=a", "'gpus_to_use=[0,1]'"]),
        (["trusted_modules=my"], ["trusted_modules=my", "'trusted_modules=[my]'"]),
        (["benchmark.command=bash train.sh"], ["'benchmark.command=[bash,train.sh]'"]),
        (["benchmark.mode=maximum"], ["benchmark.mode=maximum", "min or max"]),
        (["benchmark.config_space=3"], ["benchmark.config_space=3", "a mapping"]),
        (["benchmark.data=/tmp/ü"], ["benchmark.data=/tmp/ü", "'benchmark.data=\"/tmp/ü\"'"]),
        (["benchmark=mines"], ["benchmark=mines", "did you mean mine?"]),
        (["method=asha"], ["method=asha", "did you mean ASHA?"]),
        (["launcher=slrum"], ["launcher=slrum", "did you mean slurm?"]),
        (["experiment_tag=ü"], ["experiment_tag='ü'", "letters a-z", "digits"]),
        (["experiment_tag=" + "a" * 300], ["experiment_tag=aaa", "300 characters", "at most"]),
        (["--experimental-rerun", "x"], ["--experimental-rerun", "the same command again"]),
        (["-p", "x"], ["-p", "--cfg job"]),
        (["-sc", "install=bash"], ["-sc: ", 'eval "$(hpo completion bash)"']),
        (["--config-dir"], ["--config-dir", "a folder after it"]),
        (["--config-dir", "n_workers=2"], ["--config-dir", "a folder after it"]),
        (["--n_workers=2"], ["--n_workers=2", "without dashes", "n_workers=2"]),
        (["--method", "ASHA"], ["--method", "without dashes, as method=ASHA"]),
        (["script=train.py"], ["script=train.py", "did you mean benchmark.script?"]),
        (["metric=loss"], ["did you mean benchmark.metric?"]),
        (["--config-path", "conf"], ["--config-path", "--config-dir FOLDER"]),
        (["-cp=conf"], ["-cp", "--config-dir FOLDER"]),
        (["--config-name=mine"], ["--config-name", "--config-dir FOLDER benchmark=NAME"]),
        (
            ["benchmark.script=train.main"],
            ["benchmark.script=train.main", "not of a module or a function", "write train.py"],
        ),
        (["benchmark.script='train:main'"], ["benchmark.script=train:main", "write train.py"]),
        (["benchmark.script=train"], ["write train.py"]),
        (["benchmark.script=python train.py"], ["a command line", "benchmark.command=[python,train.py]"]),
        (["benchmark.script=conf"], ["benchmark.script=conf", "a folder"]),
        (["benchmark.script={_target_: train.main}"], ["benchmark.script=", "the path of a file", "train.py"]),
        (["benchmark.data=${@}"], ["benchmark.data", "no key @", "\\${...}"]),
        (["benchmark.data=${nowhere:1}"], ["benchmark.data", "${nowhere:...}", "nobody has defined"]),
        (["benchmark.data=${HPO_TEST_HOME}"], ["benchmark.data", "${oc.env:HPO_TEST_HOME}"]),
        (["benchmark.data=${oc.env:NOT_THERE}"], ["the environment variable NOT_THERE is not set"]),
    ],
)
def test_a_mistake_is_answered_with_what_to_write(workplace, overrides, words):
    workplace.write("train.py", "")
    workplace.environment["HPO_TEST_HOME"] = "/home"
    sentence = refused(workplace, *overrides)
    assert [word for word in words if word not in sentence] == [], sentence
    assert not [word for word in ("object_type", "full_key", "provider=", "append to") if word in sentence], sentence


@pytest.mark.parametrize(
    "text", ["python train.py ${@}", 'python train.py "${@"', "echo ${", "x ${1}", "${x:-3}", "${#x}"]
)
def test_what_a_shell_would_replace_in_a_benchmark_s_yaml_is_told_how_to_write_it(workplace, text):
    workplace.benchmark(script=..., command=["bash", "-c", text, "train"])
    sentence = refused(workplace)
    assert "command[2]: " in sentence
    assert "write \\${...} for what a program shall see as it is" in sentence
    escaped = text.replace("${", "\\${")
    workplace.benchmark(script=..., command=["bash", "-c", f"true '{escaped}'", "train"])
    assert "ended without a report" in refused(workplace), "written so it reaches the program"


def test_quotes_that_hydra_s_grammar_needs_are_as_the_sentence_says(workplace):
    shown = succeeded(workplace.hpo("benchmark=mine", 'benchmark.data="/tmp/ü"', "--cfg", "job"))
    assert yaml.safe_load(shown)["benchmark"]["data"] == "/tmp/ü"


def test_a_misspelt_key_in_a_benchmark_s_yaml_is_named_with_its_file_and_the_nearest(workplace):
    workplace.benchmark(resource_atr="epoch")
    sentence = refused(workplace)
    assert "benchmark/mine.yaml" in sentence
    assert "did you mean resource_attr?" in sentence


@pytest.mark.parametrize("key", ["name", "metric", "config_space"])
def test_a_benchmark_s_yaml_without_what_it_needs_is_told_the_line(workplace, key):
    content = workplace.benchmark()
    del content[key]
    workplace.write("conf/benchmark/mine.yaml", yaml.safe_dump(content))
    sentence = refused(workplace)
    assert f"benchmark.{key}: it is missing" in sentence
    assert f"`{key}: ...`" in sentence


def test_a_choice_that_is_not_there_without_a_folder_of_one_s_own_says_how_to_name_one(workplace):
    without = error_of(workplace.verb("benchmark=another", "method=RS"))
    assert "--config-dir FOLDER" in without
    assert "benchmark/ in it" in without
    assert "--config-dir" not in refused(workplace, "benchmark=nothing")


def test_a_choice_in_a_folder_beside_is_told_the_option_that_finds_it(workplace):
    assert "conf/benchmark/mine.yaml is one: pass --config-dir conf" in error_of(
        workplace.verb("benchmark=mine", "method=RS")
    )
    assert "pass --config-dir conf" in error_of(workplace.verb("plan", "benchmark=mine", "method=RS"))
    succeeded(workplace.verb("--config-dir", "conf", "benchmark=mine", "method=RS", "experiment_tag=t"))
    for given in ("conf/benchmark/mine.yaml", "conf/benchmark/mine"):
        sentence = error_of(workplace.verb(f"benchmark={given}", "method=RS"))
        assert "a choice is a name, not a path: pass --config-dir conf benchmark=mine" in sentence
    assert "--config-dir conf benchmark=mine" in error_of(workplace.verb("benchmark=mine.yaml", "method=RS"))
    workplace.write("method/OWN.yaml", "name: OWN")
    assert "method=OWN: there is no such method, but ./method/OWN.yaml is one: pass --config-dir ." in error_of(
        workplace.verb("benchmark=mlp_digits", "method=OWN")
    )


def test_a_folder_that_has_no_groups_is_named_with_the_one_that_is_meant(workplace):
    sentence = error_of(workplace.verb("--config-dir", "conf/benchmark", "benchmark=mlp_digits", "method=RS"))
    assert "--config-dir conf/benchmark" in sentence
    assert f"here {workplace.path}/conf" in sentence


def test_a_trusted_module_that_cannot_be_imported_is_told_about_pythonpath(workplace):
    workplace.write(
        "conf/method/MINE.yaml",
        "name: MINE\n"
        "searcher: {_target_: my_methods.Mine, _partial_: true}\n"
        "scheduler: {_target_: hpo.schedulers.ASHA, _partial_: true}\n",
    )
    overrides = ["method=MINE", "trusted_modules=[my_methods]"]
    sentence = refused(workplace, *overrides)
    assert "cannot import my_methods" in sentence
    assert "PYTHONPATH=." in sentence
    workplace.write("my_methods.py", "import a_module_that_is_not_there\n")
    assert "a_module_that_is_not_there" in refused(workplace, *overrides, PYTHONPATH=str(workplace.path))
    workplace.write("my_methods.py", "class Mine2:\n    pass\n")
    assert "did you mean Mine2?" in refused(workplace, *overrides, PYTHONPATH=str(workplace.path))


# ---------------------------------------------------------------------- sweeps


@pytest.mark.parametrize(
    "overrides",
    [
        ["method=RS,nosuch"],
        ["benchmark=mine,nosuch"],
        ["benchmark=mine,odd"],
        ["benchmark=mine,lost"],
        ["benchmark=mine,tabled"],
        ["method.name='RS-${n_workers}'", "n_workers=1,0"],
        [
            "method=ASHA",
            "method.name='ASHA-${method.scheduler.reduction_factor}'",
            "method.scheduler.reduction_factor=3,1",
        ],
        ["method=RS,ASHA", "+method.scheduler.reduction_facto=3"],
    ],
)
def test_a_mistake_in_a_later_experiment_is_found_before_the_first_starts(workplace, overrides):
    workplace.benchmark("lost", script="nowhere.py")
    workplace.benchmark("tabled", script=..., table="nowhere")
    workplace.benchmark("odd", config_space={"x": {"type": "flaot", "lower": 0.0, "upper": 1.0}})
    refused(workplace, *overrides)
    assert not (workplace.path / "outputs").exists()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["method=ASHA", "method.scheduler.reduction_factor=2,3"],
            ["mine/ASHA/seed_0", "reduction_factor: 2, 3", "method.name='ASHA-${method.scheduler.reduction_factor}'"],
        ),
        (["benchmark.arguments.epochs=2,3"], ["epochs: 2, 3", "benchmark.name='mine-${benchmark.arguments.epochs}'"]),
        (["method=RS,ASHA", "n_workers=1,2"], ["n_workers: 1, 2", "experiment_tag='t-${n_workers}'"]),
        (["seed=1,1"], ["seed_1", "once"]),
        (["hydra.sweep.subdir=x", "seed=0,1"], ["outputs/t/x", "seed: 0, 1", "experiment_tag of its own"]),
    ],
)
def test_experiments_that_would_share_a_directory_are_refused_with_the_keys_that_differ(workplace, overrides, words):
    sentence = refused(workplace, *overrides)
    assert [word for word in words if word not in sentence] == [], sentence
    assert not (workplace.path / "outputs").exists()


@pytest.mark.parametrize(
    ("overrides", "places"),
    [
        (
            [
                "method=ASHA",
                "method.scheduler.reduction_factor=2,3",
                "method.name='ASHA-${method.scheduler.reduction_factor}'",
            ],
            ["t/mine/ASHA-2", "t/mine/ASHA-3"],
        ),
        (
            ["benchmark.arguments.epochs=2,3", "benchmark.name='mine-${benchmark.arguments.epochs}'"],
            ["t/mine-2/RS", "t/mine-3/RS"],
        ),
        (["n_workers=1,2", "experiment_tag='t-${n_workers}'"], ["t-1/mine/RS", "t-2/mine/RS"]),
    ],
)
def test_a_key_in_a_name_gives_each_value_of_a_sweep_a_directory_and_all_the_same_master_seed(
    workplace, overrides, places
):
    succeeded(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t", "max_num_trials=1", *overrides))
    experiments = [load_experiment(workplace.path / "outputs" / place / "seed_0") for place in places]
    assert len({experiment.config.random_seed for experiment in experiments}) == 1
    found = {
        str(path.parent.parent.relative_to(workplace.path / "outputs")) for path in workplace.path.rglob("events.db")
    }
    assert found == set(places)


# ---------------------------------------------------------------------- streams


def test_a_command_whose_output_is_closed_runs(workplace):
    command = " ".join(workplace.command("benchmark=mine", "method=RS", "experiment_tag=t"))
    for closed in (">&-", ">&- 2>&- <&-"):
        subprocess.run(
            ["bash", "-c", f"{command} overwrite=true {closed}"], cwd=workplace.path, timeout=120, check=True
        )
        assert load_experiment(workplace.directory("t")).state.finished is not None


def test_a_reader_of_info_that_ends_early_is_no_error(workplace):
    command = [sys.executable, "-m", "hpo", "--info"]
    with subprocess.Popen(
        command, cwd=workplace.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""


def test_version_is_that_of_hpo(workplace):
    assert succeeded(workplace.verb("--version")) == f"hpo {hpo.__version__}\n"


def test_it_says_where_the_pages_of_its_documentation_are(workplace):
    folder = Path(succeeded(workplace.verb("--docs")).rstrip("\n"))
    assert "hpo.tune" in (folder / "coming-from.md").read_text()


def misbehaves(workplace, how, *overrides):
    workplace.benchmark(script=str(SCRIPTS / "misbehave.py"), arguments={"epochs": 3, "how": how})
    return refused(workplace, "max_num_trials=9", *overrides)


def test_a_script_that_crashes_at_import_ends_after_max_failures_with_its_error(workplace):
    sentence = misbehaves(workplace, "import", "n_workers=1")
    assert "max_failures=3" in sentence
    assert "a_module_that_is_not_there" in sentence
    experiment = load_experiment(workplace.directory("t"))
    assert statuses(workplace.directory("t")) == [Status.FAILED] * 3
    errors = [event.body["error"] for event in experiment.events if event.kind == Kind.ENDED]
    assert all("ModuleNotFoundError" in error for error in errors), "the end of standard error is stored"


@pytest.mark.parametrize("most", [1, 2])
def test_max_failures_says_how_many_failures_are_enough(workplace, most):
    assert f"max_failures={most}" in misbehaves(workplace, "exit", "n_workers=1", f"max_failures={most}")
    assert statuses(workplace.directory("t")) == [Status.FAILED] * most


def test_a_script_that_never_reports_is_told_how_to(workplace):
    sentence = misbehaves(workplace, "silent")
    assert "hpo.report" in sentence
    assert "HPO_REPORT_FILE" in sentence


def test_a_missing_metric_is_named_with_the_nearest(workplace):
    sentence = misbehaves(workplace, "metric")
    assert "benchmark.metric=loss" in sentence
    assert "'los'" in sentence


def test_a_missing_resource_is_named_with_the_nearest(workplace):
    sentence = misbehaves(workplace, "resource")
    assert "benchmark.resource_attr=epoch" in sentence
    assert "'epohc'" in sentence


def test_a_metric_that_is_not_a_number_is_named(workplace):
    sentence = misbehaves(workplace, "text")
    assert "benchmark.metric=loss" in sentence
    assert "'high'" in sentence


def test_a_resource_that_is_not_a_whole_number_is_named(workplace):
    sentence = misbehaves(workplace, "half")
    assert "benchmark.resource_attr=epoch" in sentence
    assert "0.5" in sentence


def test_a_script_that_fails_after_its_reports_does_not_end_the_experiment(workplace):
    workplace.benchmark(script=str(SCRIPTS / "misbehave.py"), arguments={"epochs": 3, "how": "after_report"})
    succeeded(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t", "max_num_trials=5"))
    assert statuses(workplace.directory("t")) == [Status.FAILED] * 5


def test_a_loss_that_is_nan_is_recorded_and_never_the_best(workplace):
    workplace.benchmark(script=str(SCRIPTS / "misbehave.py"), arguments={"epochs": 2, "how": "nan"})
    out = succeeded(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t"))
    experiment = load_experiment(workplace.directory("t"))
    assert experiment.reports["loss"].isna().sum() == 3
    assert experiment.best["loss"] == 0.5
    assert "nan" not in out.lower()


def test_a_machine_without_gpus_is_told_the_remedy(workplace):
    sentence = refused(workplace, "num_gpus_per_trial=1", CUDA_VISIBLE_DEVICES="")
    assert "num_gpus_per_trial=1" in sentence
    assert "num_gpus_per_trial=0" in sentence
    assert not (workplace.path / "outputs").exists()


def test_the_command_alone_on_such_a_machine_says_it_once_and_what_to_type_and_makes_nothing(workplace):
    done = workplace.hpo(CUDA_VISIBLE_DEVICES="")
    sentence = error_of(done)
    assert "benchmark=resnet_cifar10" in sentence
    assert "num_gpus_per_trial=0" in sentence
    assert ": hpo benchmark=mlp_digits" in sentence
    assert done.stdout == ""
    assert not (workplace.path / "outputs").exists()


def test_too_many_gpus_per_trial_names_how_many_there_are(workplace, pretended_gpus):
    sentence = refused(workplace, "num_gpus_per_trial=5", **pretended_gpus)
    assert "num_gpus_per_trial=5" in sentence
    assert "4" in sentence.replace("num_gpus_per_trial=5", "")


def test_a_gpu_that_is_not_there_is_named(workplace, pretended_gpus):
    sentence = refused(workplace, "num_gpus_per_trial=1", "gpus_to_use=[2,7]", **pretended_gpus)
    assert "gpus_to_use=[2, 7]" in sentence
    assert "0, 1, 2, 3" in sentence


def test_a_second_tuner_in_the_directory_is_refused_and_the_first_goes_on(workplace):
    workplace.benchmark(arguments={"epochs": 1000, "sleep": 0.03})
    with workplace.start("benchmark=mine", "method=RS", "experiment_tag=t") as first:
        until(lambda: started(workplace.directory("t")))
        sentence = refused(workplace)
        assert f"pid {first.pid}" in sentence
        assert os.uname().nodename in sentence
        assert first.poll() is None
        first.terminate()
        first.communicate(timeout=60)
    assert first.returncode == 143


def test_a_changed_configuration_is_refused_with_the_difference(complete):
    sentence = refused(complete, "benchmark.arguments.epochs=5")
    assert "benchmark.arguments.epochs: 3 -> 5" in sentence
    assert "overwrite=true" in sentence
    assert "experiment_tag" in sentence


def test_resume_false_refuses_an_existing_directory(complete):
    sentence = refused(complete, "resume=false")
    assert "resume=false" in sentence
    assert "overwrite=true" in sentence


@pytest.mark.parametrize("damage", ["random", "torn"])
def test_a_damaged_store_is_named_with_the_remedy(complete, damage):
    path = complete.directory("t") / "events.db"
    if damage == "random":
        path.write_bytes(os.urandom(10_000))
    else:
        os.truncate(path, path.stat().st_size // 2)
    sentence = refused(complete, "max_num_trials=5")
    assert "events.db" in sentence
    assert "overwrite=true" in sentence
    if damage == "torn":
        succeeded(complete.hpo("benchmark=mine", "method=RS", "experiment_tag=t", "overwrite=true"))


def test_a_damaged_experiment_yaml_is_named(complete):
    (complete.directory("t") / "experiment.yaml").write_text("benchmark: [\n")
    assert "experiment.yaml" in refused(complete)


@pytest.mark.parametrize(
    "overrides",
    [
        ["method.searcher._target_=os.system"],
        ["method.scheduler._target_=subprocess.Popen"],
        ["+callbacks.mine._target_=os.getcwd"],
        ["launcher._target_=os.getcwd"],
    ],
)
def test_a_target_outside_hpo_is_refused_and_says_how_to_allow_it(workplace, overrides):
    sentence = refused(workplace, *overrides)
    key, target = overrides[0].lstrip("+").split("=")
    assert f"{key}={target}" in sentence
    assert "trusted_modules" in sentence


def test_one_experiment_s_error_does_not_stop_the_others(complete):
    complete.write("outputs/t/mine/RS/seed_0/experiment.yaml", "unknown: 1\n")
    result = complete.hpo("benchmark=mine", "method=RS,ASHA", "experiment_tag=t")
    error_of(result)
    assert "1 of 2" in result.stdout
    assert load_experiment(complete.directory("t", "ASHA")).state.finished is not None


def test_a_word_that_is_neither_verb_nor_override_is_named(workplace):
    result = workplace.verb("benchmak")
    sentence = error_of(result)
    assert "benchmak" in sentence
    assert "status" in sentence
    assert "key=value" in sentence


# ---------------------------------------------------------------------- keys and their effect


CALLBACK = """
import hpo

class Extra(hpo.Callback):
    def __init__(self, factor=2):
        self.factor = factor
        self.seen = 0

    def extra_results(self, trial, metrics):
        return {"extra_loss": self.factor * metrics["loss"], "extra_trial": trial.id}

    def on_event(self, event):
        self.seen += 1

    def on_close(self):
        print(f"saw {self.seen} events")

class Broken(hpo.Callback):
    def on_event(self, event):
        raise RuntimeError("broken callback")
"""


def test_a_user_s_callback_adds_columns_to_the_results(workplace):
    workplace.write("my_callbacks.py", CALLBACK)
    out = succeeded(
        workplace.hpo(
            "benchmark=mine", "method=RS", "experiment_tag=t", "trusted_modules=[my_callbacks]",
            "+callbacks.mine._target_=my_callbacks.Extra", "+callbacks.mine.factor=4", PYTHONPATH=str(workplace.path),
        )
    )  # fmt: skip
    experiment = load_experiment(workplace.directory("t"))
    assert list(experiment.reports["extra_loss"]) == [4 * loss for loss in experiment.reports["loss"]]
    assert list(experiment.reports["extra_trial"]) == list(experiment.reports["trial_id"])
    assert f"saw {len(experiment.events)} events" in out


def test_a_callback_that_raises_does_not_end_the_experiment(workplace):
    workplace.write("my_callbacks.py", CALLBACK)
    result = workplace.hpo(
        "benchmark=mine", "method=RS", "experiment_tag=t", "trusted_modules=[my_callbacks]",
        "+callbacks.mine._target_=my_callbacks.Broken", PYTHONPATH=str(workplace.path),
    )  # fmt: skip
    succeeded(result)
    assert "Traceback" not in result.stderr
    assert (workplace.directory("t") / "hpo.log").read_text().count("callback Broken failed") == 1


def test_a_user_s_own_method_yaml_is_a_method(workplace):
    workplace.write(
        "conf/method/MINE.yaml",
        "name: MINE\n"
        "searcher: {_target_: hpo.searchers.SobolSearcher, _partial_: true}\n"
        "scheduler: {_target_: hpo.schedulers.ASHA, _partial_: true, min_resource: 2, reduction_factor: 2}\n",
    )
    workplace.benchmark(arguments={"epochs": 8}, max_num_trials=8)
    succeeded(workplace.hpo("benchmark=mine", "method=MINE", "experiment_tag=t"))
    experiment = load_experiment(workplace.directory("t", "MINE"))
    assert {len(rows) for _, rows in experiment.reports.groupby("trial_id")} <= {2, 4, 8}
    assert experiment.metadata["searcher_name"] == "SobolSearcher"


@pytest.mark.parametrize("method", ["ASHA-STOP", "HYPERBAND", "SOBOL", "GRID"])
def test_every_method_runs_to_its_end(workplace, method):
    workplace.benchmark(arguments={"epochs": 9}, max_num_trials=12)
    succeeded(
        workplace.hpo(
            "benchmark=mine", f"method={method}", "experiment_tag=t", "benchmark.points_to_evaluate=[{x: 0.75}]"
        )
    )
    experiment = load_experiment(workplace.directory("t", method))
    points = [state.trial.configuration["x"] for state in experiment.state.trials.values()]
    assert len(points) == len(set(points)) == (5 if method == "GRID" else 12)  # a grid of 5 values has 0.75
    assert points[0] == 0.75
    ended = {Status.COMPLETED, Status.STOPPED, Status.PAUSED}
    assert set(statuses(workplace.directory("t", method))) <= ended
    for _, rows in experiment.reports.groupby("trial_id"):
        assert list(rows["epoch"]) == list(range(1, len(rows) + 1))


def test_an_extra_argument_of_the_method_reaches_the_scheduler(workplace):
    workplace.benchmark(arguments={"epochs": 16}, max_num_trials=6)
    succeeded(workplace.hpo("benchmark=mine", "method=ASHA", "experiment_tag=t", "method.scheduler.reduction_factor=4"))
    reports = load_experiment(workplace.directory("t", "ASHA")).reports
    assert {len(rows) for _, rows in reports.groupby("trial_id")} <= {1, 4, 16}
    assert {row for row in reports["config_epochs"]} <= {1, 4, 16}


def test_an_extra_argument_reaches_the_script_and_the_results(workplace):
    succeeded(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t", "+benchmark.arguments.foo=7"))
    reports = load_experiment(workplace.directory("t")).reports
    assert set(reports["foo"]) == {7}
    assert set(reports["config_foo"]) == {7}


@pytest.mark.parametrize("key", ["trial_timeout", "trial_silence_timeout"])
def test_a_trial_that_hangs_is_ended_by_its_time_limit(workplace, key):
    workplace.benchmark(script=str(SCRIPTS / "misbehave.py"), arguments={"epochs": 3, "how": "hang"})
    command = ("benchmark=mine", "method=RS", "experiment_tag=t", "max_num_trials=1", f"{key}=0.3")
    assert "no finite loss in 1 trials (1 timeout)" in error_of(workplace.hpo(*command))
    experiment = load_experiment(workplace.directory("t"))
    (end,) = [event for event in experiment.events if event.kind == Kind.ENDED]
    assert end.body["status"] == Status.TIMEOUT
    assert f"{key}=0.3" in end.body["error"]


def test_a_trial_that_reports_is_not_silent_but_may_take_too_long(workplace):
    workplace.benchmark(script=str(SCRIPTS / "misbehave.py"), arguments={"epochs": 1000, "how": "chatter"})
    succeeded(
        workplace.hpo(
            "benchmark=mine", "method=RS", "experiment_tag=t", "max_num_trials=1", "trial_timeout=1",
            "trial_silence_timeout=0.9",
        )
    )  # fmt: skip
    experiment = load_experiment(workplace.directory("t"))
    (end,) = [event for event in experiment.events if event.kind == Kind.ENDED]
    assert "trial_timeout=1" in end.body["error"]
    assert experiment.state.reports > 1


def test_delete_checkpoints_leaves_none(workplace):
    workplace.benchmark(arguments={"epochs": 9}, max_num_trials=5)
    for method in ("RS", "ASHA"):
        succeeded(workplace.hpo("benchmark=mine", f"method={method}", "experiment_tag=t", "delete_checkpoints=true"))
        assert list(workplace.directory("t", method).glob("trials/*/checkpoint/*")) == []
        assert len(statuses(workplace.directory("t", method))) == 5
    experiment = load_experiment(workplace.directory("t", "ASHA"))
    for _, rows in experiment.reports.groupby("trial_id"):
        assert list(rows["epoch"]) == list(range(1, len(rows) + 1)), "a checkpoint was deleted too early"


def intervals(directory):
    reports = load_experiment(directory).reports
    return list(zip(reports["begin"], reports["end"], reports["devices"], strict=True))


def most_at_once(spans):
    return max(sum(begin <= moment < end for begin, end, _ in spans) for moment, _, _ in spans)


def devices_of(span):
    return {name for name in span[2].strip("[]").split(",") if name}


@pytest.mark.parametrize(
    ("overrides", "devices", "per_trial"),
    [
        ([], {"0", "1", "2", "3"}, 1),
        (["num_gpus_per_trial=2"], {"0", "1", "2", "3"}, 2),
        (["gpus_to_use=[1,3]"], {"1", "3"}, 1),
    ],
)
def test_no_gpu_is_shared_and_only_those_to_use_are_used(workplace, pretended_gpus, overrides, devices, per_trial):
    workplace.benchmark(
        script=str(SCRIPTS / "interval.py"), arguments={"sleep": 0.05}, resource_attr=None, max_resource_attr=None,
        num_gpus_per_trial=1, n_workers=4, max_num_trials=8,
    )  # fmt: skip
    succeeded(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t", *overrides, **pretended_gpus))
    spans = intervals(workplace.directory("t"))
    assert len(spans) == 8
    assert all(len(devices_of(span)) == per_trial for span in spans)
    assert set().union(*map(devices_of, spans)) == devices
    for i, a in enumerate(spans):
        for b in spans[i + 1 :]:
            together = a[0] < b[1] and b[0] < a[1]
            assert not (together and devices_of(a) & devices_of(b)), f"{a} and {b} share a device"
    assert most_at_once(spans) <= len(devices) // per_trial


@pytest.mark.parametrize("n_workers", [1, 3])
def test_n_workers_is_how_many_trials_run_at_once(workplace, n_workers):
    workplace.benchmark(
        script=str(SCRIPTS / "interval.py"), arguments={"sleep": 0.3}, resource_attr=None, max_resource_attr=None,
        max_num_trials=3,
    )  # fmt: skip
    succeeded(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t", f"n_workers={n_workers}"))
    spans = intervals(workplace.directory("t"))
    assert most_at_once(spans) == n_workers
    threads = set(load_experiment(workplace.directory("t")).reports["threads"])
    assert threads == {"all" if n_workers == 1 else str(max(len(os.sched_getaffinity(0)) // n_workers, 1))}


def test_max_num_evaluations_ends_after_so_many_reports(workplace):
    workplace.benchmark(script=str(SCRIPTS / "misbehave.py"), arguments={"epochs": 1000, "how": "chatter"})
    out = succeeded(
        workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t", "n_workers=1", "max_num_evaluations=5")
    )
    assert "max_num_evaluations=5" in out
    assert 5 <= load_experiment(workplace.directory("t")).state.reports <= 8


def test_max_wallclock_time_ends_what_runs(workplace):
    workplace.benchmark(script=str(SCRIPTS / "misbehave.py"), arguments={"epochs": 1000, "how": "chatter"})
    out = succeeded(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t", "max_wallclock_time=0.5"))
    assert "max_wallclock_time=0.5" in out
    experiment = load_experiment(workplace.directory("t"))
    assert experiment.state.elapsed >= 0.5
    assert not experiment.state.running


@pytest.mark.parametrize(("grace", "said"), [(20, True), (0, False)])
def test_a_trial_gets_its_grace_and_no_more(workplace, grace, said):
    workplace.benchmark(
        script=str(SCRIPTS / "farewell.py"), arguments={"takes": 0.3}, resource_attr=None, max_resource_attr=None
    )
    succeeded(
        workplace.hpo(
            "benchmark=mine", "method=RS", "experiment_tag=t", "max_num_trials=1", "n_workers=1",
            "max_num_evaluations=3", f"grace_period_seconds={grace}",
        )
    )  # fmt: skip
    assert (workplace.directory("t") / "trials/0/checkpoint/farewell").exists() == said


def test_a_bash_script_is_a_trial_like_any_other(workplace):
    workplace.benchmark(
        script=..., command=["bash", str(SCRIPTS / "steps.sh")], arguments={"epochs": 9}, max_num_trials=6
    )
    succeeded(workplace.hpo("benchmark=mine", "method=ASHA", "experiment_tag=t"))
    experiment = load_experiment(workplace.directory("t", "ASHA"))
    assert list(experiment.reports["loss"]) == list(experiment.reports["config_x"])
    for _, rows in experiment.reports.groupby("trial_id"):
        assert list(rows["epoch"]) == list(range(1, len(rows) + 1))
        assert len(set(rows["seed"])) == 1
    assert any(event.kind == Kind.RESUMED for event in experiment.events)


def test_a_command_from_the_command_line_needs_no_yaml_of_its_own(workplace):
    out = succeeded(
        workplace.hpo(
            "benchmark=mine", "method=RS", "experiment_tag=t", "benchmark.script=null",
            f"benchmark.command=[bash,{SCRIPTS}/steps.sh]",
        )
    )  # fmt: skip
    assert "3 completed" in out


# ---------------------------------------------------------------------- 500 strings


def awkward_strings(count, long):
    """Random Unicode and everything a shell, a parser or a terminal could stumble over; no two are equal."""
    rng = random.Random(2024)
    parts = [
        " ", "  ", "'", '"', ";", "$(echo no)", "`no`", "\n", "\r\n", "\t", "-", "--x=1", "\\", "\\'", "&&", "|", "<>", "*",
        "?", "~", "#", "!", "%s", "%", "{", "}", "[", "]", ",", ":", "=", "@", "$HOME", "ü", "ß", "漢字", "🙂", "\u202e",
        "\u00a0", "\ufeff", "\x01", "\x1b[31m", "\x7f", "null", "true", "1e3", "0x1", "a", "b", "é", "e\u0301",
    ]  # fmt: skip
    found = dict.fromkeys(["", " ", "-", "--help", "-c", "\n", "'", '"', "null", "true", "1", "1.0", "~", "[]", "{}"])
    while len(found) < count:
        text = "".join(rng.choice(parts) for _ in range(rng.randrange(1, 12)))
        if rng.random() < 0.3:
            text += "".join(chr(rng.choice([*range(1, 0xD800), *range(0xE000, 0x11000)])) for _ in range(3))
        found[text.replace("${", "$ {")] = None
    strings = list(found)[:count]
    return [*strings[:-1], "long " + "x" * 100_000] if long else strings


@pytest.mark.parametrize(("preload", "count"), [([], 500), (None, 150)])
def test_awkward_strings_arrive_as_they_are(workplace, preload, count):
    strings = awkward_strings(count, long=preload is not None)
    assert len(set(strings)) == count
    workplace.benchmark(
        script=str(SCRIPTS / "show_arguments.py"), preload=preload, arguments={}, resource_attr=None,
        max_resource_attr=None, config_space={"x": {"type": "choice", "values": strings}}, max_num_trials=count,
        max_wallclock_time=110,
    )  # fmt: skip
    succeeded(workplace.hpo("benchmark=mine", "method=GRID", "experiment_tag=t"))
    experiment = load_experiment(workplace.directory("t", "GRID"))
    sent = {trial: state.trial.configuration["x"] for trial, state in experiment.state.trials.items()}
    assert sorted(sent.values()) == sorted(strings)
    arrived = {
        trial: json.loads((workplace.directory("t", "GRID") / f"trials/{trial}/checkpoint/argv").read_text())
        for trial in sent
    }
    assert arrived == {trial: [f"--x={text}"] for trial, text in sent.items()}


class Launched:
    """Has launched an experiment whose job is over."""

    def __init__(self, code):
        self._code = code

    def finish(self, _):
        return self._code


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ([1], ""),  # its launcher has said what became of it
        ([0, 0], "2 of 2 experiments complete\n"),
        ([0, 1], "1 of 2 experiments complete\n  failed: seed_1: the remote job failed\n"),
        (
            [1, 1],
            "0 of 2 experiments complete\n  failed: seed_0: the remote job failed\n"
            "  failed: seed_1: the remote job failed\n",
        ),
    ],
)
def test_each_experiment_counts_once_and_those_that_did_not_complete_are_named(capsys, codes, said):
    call = _Call([], codes=[0] * len(codes))  # all were sent
    call.awaited += [(number, Launched(code), Path(f"seed_{number}")) for number, code in enumerate(codes)]
    assert _conclude(call) == (1 if any(codes) else 0)
    assert capsys.readouterr().out == said
