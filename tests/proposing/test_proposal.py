"""`hpo init` on programs in the shapes in which users have them: each file it writes is one that hpo takes as it is."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import hpo
from hpo.config.reading import resolve
from hpo.config.yaml_files import read_plain
from hpo.errors import ConfigError
from hpo.proposing import help_text
from hpo.proposing.proposal import write_benchmark
from tests.conftest import error_of, succeeded

SHAPES = Path(__file__).parent / "scripts"
LOG = {"type": "float", "log": True}
REPORTED = {"metric": "loss", "mode": "min", "resource_attr": "epoch", "max_resource_attr": "epochs"}
SEED = {"seed": "{trial_seed}"}


def around(default, *, type="float", factor=100, most=float("inf")):
    """Logarithmic, by a factor to each side."""
    return {"type": type, "lower": default / factor, "upper": min(default * factor, most), "log": True}


def powers(*values):
    return {"type": "ordinal", "values": list(values)}


def few(default):
    return {"type": "int", "lower": default // 2, "upper": 2 * default}


def between(lower, upper):
    return {"type": "float", "lower": lower, "upper": upper}


MOMENTUM = {"type": "float", "lower": 0.5, "upper": 0.99, "reverse_log": True}
BATCHES_AROUND_32 = powers(8, 16, 32, 64, 128)
BATCHES_AROUND_64 = powers(16, 32, 64, 128, 256)
EXPECTED = {
    "mnist.py": {
        "argument_style": "switches",
        "config_space": {
            "batch-size": BATCHES_AROUND_64,
            "lr": {**LOG, "lower": 0.01, "upper": 10.0},
            "gamma": between(0.1, 1.0),
        },
        "arguments": {"epochs": 14, **SEED},
        "max_resource_attr": "epochs",
        "TODO": ["metric", "mode"],
    },
    "lightning_module.py": {
        "metric": "val_loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "max_epochs",
        "config_space": {
            "hidden_dim": around(128, type="int", factor=4),
            "num_layers": few(2),
            "dropout": between(0.0, 0.8),
            "learning_rate": around(1e-4),
            "weight_decay": around(1e-4),
            "batch_size": BATCHES_AROUND_32,
        },
        "arguments": {"max_epochs": 20, "data_dir": "???", **SEED},
        "arguments_of_the_machine": ["data_dir"],
        "TODO": ["data_dir"],
    },
    "run_glue.py": {
        "metric": "eval_loss",
        "max_resource_attr": "num_train_epochs",
        "config_space": {
            "learning_rate": around(5e-5),
            "per_device_train_batch_size": powers(2, 4, 8, 16, 32),
            "weight_decay": around(1e-4),
        },
        "arguments": {
            "model_name_or_path": "???",
            "num_train_epochs": 3,
            "output_dir": "{checkpoint_dir}",
            **SEED,
            "do_train": True,
        },
        "TODO": ["model_name_or_path"],
    },
    "keras_cnn.py": {
        **REPORTED,
        "metric": "val_accuracy",
        "mode": "max",
        "config_space": {
            "learning_rate": around(1e-3),
            "batch_size": powers(32, 64, 128, 256, 512),
            "dropout_rate": between(0.0, 0.8),
            "filters": around(32, type="int", factor=4),
            "activation": {"type": "choice", "values": ["relu", "gelu"]},
        },
        "arguments": {"epochs": 15},
    },
    "xgboost_tree.py": {
        "metric": "logloss",
        "mode": "min",
        "resource_attr": "round",
        "max_resource_attr": "num_boost_round",
        "config_space": {
            "eta": around(0.3, most=1.0),
            "max_depth": few(6),
            "min_child_weight": around(1.0, factor=10),
            "subsample": between(0.4, 1.0),
            "colsample_bytree": between(0.4, 1.0),
            "reg_lambda": around(1.0),
        },
        "arguments": {"num_boost_round": 100},
    },
    "lightgbm_leaves.py": {
        "metric": "valid_auc",
        "mode": "max",
        "resource_attr": "iteration",
        "max_resource_attr": "num_iterations",
        "config_space": {
            "learning_rate": around(0.1, most=1.0),
            "num_leaves": {"type": "int", "lower": 7, "upper": 124, "log": True},
            "min_data_in_leaf": around(20, type="int", factor=10),
            "feature_fraction": between(0.4, 1.0),
            "lambda_l2": around(0.01),
        },
        "arguments": {"train_file": "???", "num_iterations": 200, **SEED},
        "arguments_of_the_machine": ["train_file"],
        "TODO": ["train_file"],
    },
    "sklearn_forest.py": {
        "metric": "accuracy",
        "mode": "max",
        "resource_attr": None,
        "max_resource_attr": None,
        "config_space": {
            "n-estimators": around(20, type="int", factor=4),
            "max-depth": few(8),
            "min-samples-split": {"type": "int", "lower": 2, "upper": 20, "log": True},
            "criterion": {"type": "choice", "values": ["gini", "entropy"]},
        },
        "arguments": {"random-state": "{trial_seed}"},
    },
    "hydra_structured.py": {
        **REPORTED,
        "argument_style": "overrides",
        "config_space": {
            "optimizer.lr": around(0.05, most=1.0),
            "optimizer.momentum": MOMENTUM,
            "model.width": around(64, type="int", factor=4),
            "model.depth": {"type": "int", "lower": 1, "upper": 6},
            "model.dropout": between(0.0, 0.8),
            "batch_size": BATCHES_AROUND_64,
        },
        "arguments": {"epochs": 9, **SEED},
    },
    "hydra_files/train.py": {
        "argument_style": "overrides",
        "metric": "perplexity",
        "mode": "min",
        "resource_attr": "step",
        "max_resource_attr": "trainer.max_steps",
        "config_space": {
            "model.n_layer": few(4),
            "model.n_embd": powers(32, 64, 128, 256),
            "model.dropout": between(0.0, 0.8),
            "optim.lr": around(3e-4),
            "optim.weight_decay": around(0.1, most=1.0),
        },
        "arguments": {"trainer.max_steps": 6, **SEED},
    },
    "click_app.py": {
        **REPORTED,
        "argument_style": "switches",
        "metric": "accuracy",
        "mode": "max",
        "config_space": {
            "lr": around(0.01, most=1.0),
            "batch-size": BATCHES_AROUND_32,
            "momentum": MOMENTUM,
            "optimizer": {"type": "choice", "values": ["sgd", "adam"]},
        },
        "arguments": {"epochs": 9},
    },
    "typer_app.py": {
        **REPORTED,
        "metric": "accuracy",
        "mode": "max",
        "config_space": {
            "lr": {**LOG, "lower": 1e-4, "upper": 0.5},
            "batch-size": BATCHES_AROUND_64,
            "schedule": {"type": "choice", "values": ["cosine", "constant"]},
        },
        "arguments": {"1": "train", "2": "???", "epochs": 9, **SEED},
        "arguments_of_the_machine": ["2"],
        "TODO": ['"2"'],
    },
    "subcommands.py": {
        **REPORTED,
        "config_space": {"hidden": around(64, type="int", factor=4), "lr": around(0.1, most=1.0)},
        "arguments": {"1": "train", "epochs": 4},
    },
    "words.py": {
        **REPORTED,
        "max_resource_attr": "2",
        "config_space": {"lr": {**around(0.01, most=1.0), "argument": 1}},
        "arguments": {"2": "???"},
        "TODO": ['"2"'],
    },
    "opts_apart/train.py": {
        **REPORTED,
        "config_space": {"lr": around(0.01, most=1.0)},
        "arguments": {"epochs": 3},
    },
    "syne_tune_script.py": {
        "report_channel": "syne_tune",
        "metric": "mean_loss",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "config_space": {},
        "arguments": {"epochs": "???", "width": "???", "height": "???"},
        "TODO": ["config_space", "epochs", "width", "height"],
    },
    "printing.py": {
        "report_channel": "stdout",
        "patterns": {
            "train_epoch": r"\bTrain\s+Epoch:\s*([-+.\w]+)",
            "train_loss": r"\bLoss:\s*([-+.\w]+)",
            "test_average_loss": r"\bAverage\s+loss:\s*([-+.\w]+)",
        },
        "first_resource": 0,
        "metric": "test_average_loss",
        "mode": "min",
        "resource_attr": "train_epoch",
        "max_resource_attr": "epochs",
        "config_space": {"lr": around(0.1, most=1.0)},
        "arguments": {"epochs": 5},
    },
    "keras_plain.py": {
        "report_channel": "stdout",
        "metric": "val_mae",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "2",
        "config_space": {"width": {**around(128, type="int", factor=4), "argument": 1}},
        "arguments": {"2": "???"},
        "TODO": ['"2"'],
    },
    "lightning_cli.py": {
        "report_channel": "csv",
        "report_path": "{checkpoint_dir}/lightning_logs/version_*/metrics.csv",
        "first_resource": 0,
        "metric": "val_loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "trainer.max_epochs",
        "config_space": {
            "model.learning_rate": around(0.01, most=1.0),
            "model.dropout": between(0.0, 0.8),
            "data.batch_size": BATCHES_AROUND_32,
        },
        "arguments": {
            "1": "fit",
            "trainer.max_epochs": 7,
            "seed_everything": "{trial_seed}",
            "trainer.logger": "CSVLogger",
            "trainer.logger.save_dir": "{checkpoint_dir}",
        },
    },
    "trainer_plain.py": {
        "report_channel": "stdout",
        "patterns": {"eval_loss": r"'eval_loss': '?([-+.\w]+)", "epoch": r"'epoch': '?(\d+)"},
        "metric": "eval_loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "num_train_epochs",
        "config_space": {
            "learning_rate": around(5e-5),
            "per_device_train_batch_size": powers(2, 4, 8, 16, 32),
            "weight_decay": around(1e-4),
        },
        "arguments": {
            "num_train_epochs": 3,
            "output_dir": "{checkpoint_dir}",
            **SEED,
            "do_train": True,
            "eval_strategy": "epoch",
        },
    },
    "xgboost_plain.py": {
        "report_channel": "stdout",
        "first_resource": 0,
        "metric": "eval_logloss",
        "mode": "min",
        "resource_attr": "round",
        "max_resource_attr": "num_boost_round",
        "config_space": {"eta": around(0.3, most=1.0)},
        "arguments": {"num_boost_round": 10},
    },
    "syne_tune_json.py": {
        "arguments_as_json": "st_config_json_filename",
        "report_channel": "syne_tune",
        "metric": "mean_loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "steps",
        "config_space": {
            "width": {"type": "int", "lower": 0, "upper": 20},
            "units": {"type": "int", "lower": 8, "upper": 64, "log": True},
            "dropout": {"type": "float", "lower": 0.0, "upper": 0.8, "step": 0.2},
            "kind": {"type": "choice", "values": ["a", "b"]},
        },
        "arguments": {"steps": "???", "sizes": [1, 2]},
        "TODO": ["steps"],
    },
    "ray_function.py": {
        "function": f"{SHAPES / 'ray_function.py'}:objective",
        "metric": "mean_loss",
        "mode": "min",
        "resource_attr": "training_iteration",
        "max_resource_attr": "steps",
        "config_space": {
            "lr": {**LOG, "lower": 1e-4, "upper": 0.1},
            "layers": {"type": "int", "lower": 1, "upper": 4},
            "activation": {"type": "choice", "values": ["relu", "tanh"]},
        },
        "arguments": {"steps": 100},
    },
    "ray_argparse.py": {
        "argument_style": "switches",
        "config_space": {"lr": around(1e-3), "batch-size": BATCHES_AROUND_32},
        "arguments": {"epochs": 10},
        "TODO": ["metric", "mode"],
    },
}
"""What is expected of each, and the lines that the user has to complete: by the rules of the documentation."""


def propose(script, folder, name="mine", gpus=False):
    return write_benchmark(script=Path(script), name=name, folder=folder, gpus=gpus)


def problem_of(path):
    """Why hpo does not take a benchmark; None where it does."""
    try:
        resolve(hpo.load_config(read_plain(path), "ASHA"))
    except ConfigError as error:
        return str(error)
    return None


@pytest.mark.parametrize("script", EXPECTED)
def test_a_program_of_this_shape_gets_this_benchmark(script, tmp_path):
    written = propose(SHAPES / script, tmp_path)
    content, expected = read_plain(written.path), dict(EXPECTED[script])
    assert written.missing == expected.pop("TODO", [])
    for name, domain in expected.pop("config_space").items():
        found = content["config_space"].pop(name)
        assert found.keys() == domain.keys(), name
        for key, value in domain.items():
            assert found[key] == (pytest.approx(value, rel=0.01) if type(value) in (int, float) else value), (name, key)
    assert content["config_space"] == {}
    for key, value in expected.items():
        assert content.get(key) == value, key
    assert "function" in content or content["script"] == str(SHAPES / script)
    assert content["num_gpus_per_trial"] == 0


@pytest.mark.parametrize("script", EXPECTED)
def test_hpo_takes_the_file_as_it_is_or_names_a_line_that_the_user_has_to_complete(script, tmp_path):
    written = propose(SHAPES / script, tmp_path)
    problem = problem_of(written.path)
    for key in written.missing:  # one after the other, as a user would
        name = key.strip('"')
        assert problem is not None
        lines = written.path.read_text().splitlines()
        line = next(line for line in lines if line.strip().startswith(f"{key}: ") and "# TODO: " in line)
        if name != "config_space":
            assert any(named.strip('"') in problem for named in written.missing if named != "config_space"), problem
        values = {"metric": "loss", "mode": "min", "config_space": "{x: {type: float, lower: 0.0, upper: 1.0}}"}
        complete = re.sub(r": (\?\?\?|\{\})  #.*", f": {values.get(name, 3)}", line)
        written.path.write_text("\n".join(complete if old == line else old for old in lines))
        problem = problem_of(written.path)
    assert problem is None


def test_each_line_says_where_it_comes_from_and_what_is_not_tuned_stands_there_too(tmp_path):
    text = propose(SHAPES / "mnist.py", tmp_path).path.read_text()
    source = (SHAPES / "mnist.py").read_text().splitlines()
    number = next(n for n, line in enumerate(source, 1) if '"--gamma"' in line)
    assert f"# default 0.7 in line {number}; Learning rate step gamma\n" in text
    assert "\n  # no-accel: {type: choice, values: [true, false]}  # default False" in text
    for name in re.findall(r'"--([a-z-]+)"', "\n".join(source)):
        assert re.search(rf"^ *(# )?{name}: ", text, re.MULTILINE), name


def test_the_programs_own_defaults_are_tried_first(tmp_path):
    content = read_plain(propose(SHAPES / "click_app.py", tmp_path).path)
    assert content["points_to_evaluate"] == [{"lr": 0.01, "batch-size": 32, "momentum": 0.9, "optimizer": "sgd"}]


def test_a_benchmark_of_that_name_is_never_written_over(tmp_path):
    path = propose(SHAPES / "words.py", tmp_path).path
    path.write_text("mine")
    with pytest.raises(
        ConfigError, match=r"mine\.yaml: there is a file of that name already; give another with --name"
    ):
        propose(SHAPES / "words.py", tmp_path)
    assert path.read_text() == "mine"


def test_hpos_own_benchmarks_would_hide_one_of_the_same_name(tmp_path):
    with pytest.raises(ConfigError, match="mlp_digits: there is a benchmark of hpo of that name already"):
        propose(SHAPES / "words.py", tmp_path, name="mlp_digits")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("print(1)\n", r"it has no parser \(argparse, click, .*\); give it --name=value arguments"),
        ("from ray import tune\ntune.run(print)\n", "it tunes by itself, with ray, and takes no arguments"),
        (
            "import optuna\noptuna.create_study()\n",
            r"with optuna, .* to hpo.tune as objective\(config, report\), .*coming-from.md",
        ),
        ("def (\n", "is not valid Python in line 1"),
        (
            "import hydra\n@hydra.main(config_name='c')\ndef main(c): ...\n",
            "neither a YAML file beside it nor a dataclass",
        ),
    ],
)
def test_what_cannot_be_read_is_one_sentence_and_nothing_is_written(tmp_path, text, sentence):
    script = tmp_path / "train.py"
    script.write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        propose(script, tmp_path / "conf")
    assert not (tmp_path / "conf").exists()


def test_a_script_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.py: there is no such file"):
        propose("nowhere.py", tmp_path)


def test_a_script_that_speaks_of_gpus_gets_one_where_there_are_any(tmp_path):
    for script, gpus, expected in (("mnist.py", True, 1), ("mnist.py", False, 0), ("words.py", True, 0)):
        path = propose(SHAPES / script, tmp_path, name=f"m{gpus}{script[0]}", gpus=gpus).path
        assert read_plain(path)["num_gpus_per_trial"] == expected


def test_the_source_is_read_and_never_run(tmp_path):
    script = tmp_path / "train.py"
    script.write_text((SHAPES / "words.py").read_text() + f"\nopen({str(tmp_path / 'ran')!r}, 'w')\n")
    propose(script, tmp_path / "conf")
    assert not (tmp_path / "ran").exists()


@pytest.mark.process
def test_where_names_are_computed_the_help_is_asked_for_in_an_empty_folder(tmp_path, monkeypatch):
    shutil.copy(SHAPES / "loop.py", tmp_path / "loop.py")
    here = f"\nimport os; open({str(tmp_path / 'seen')!r}, 'w').write(str(os.listdir()))\nargs = parser.parse_args()"
    text = (tmp_path / "loop.py").read_text()
    (tmp_path / "loop.py").write_text(text.replace("\nargs = parser.parse_args()", here))
    monkeypatch.chdir(tmp_path)
    written = propose("loop.py", Path("conf"))
    assert (tmp_path / "seen").read_text() == "[]"
    content = read_plain(written.path)
    assert content["config_space"] == {
        "lr": pytest.approx({"type": "float", "lower": 0.001, "upper": 1.0, "log": True}),
        "width": {"type": "int", "lower": 4, "upper": 64, "log": True},
    }
    assert content["arguments"] == {"epochs": 3}
    assert "--help, which was run in an empty folder" in written.path.read_text()
    assert problem_of(written.path) is None


@pytest.fixture
def on_path(tmp_path, monkeypatch):
    """Put a shell script under a name on PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    def put(name, text):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}")
        (tmp_path / "bin" / name).chmod(0o755)

    return put


R_HELP = """Usage: train.R [options]


Options:
\t-l LR, --lr=LR
\t\tlearning rate [default 0.01]

\t--hidden=HIDDEN
\t\thidden units [default 32]

\t-e EPOCHS, --epochs=EPOCHS
\t\tepochs [default 9]

\t--quiet
\t\tsay less

\t-h, --help
\t\tShow this help message and exit
"""


@pytest.mark.process
def test_an_r_script_with_optparse_is_asked_for_its_help(tmp_path, on_path):
    on_path("Rscript", f"cat <<'END'\n{R_HELP}END\n")
    content = read_plain(propose(SHAPES / "train.R", tmp_path).path)
    assert content["command"] == ["Rscript", str(SHAPES / "train.R")]
    assert list(content["config_space"]) == ["lr", "hidden"]
    assert content["arguments"] == {"epochs": 9}
    assert [content[key] for key in ("metric", "mode", "resource_attr")] == ["rmse", "min", "epoch"]
    assert problem_of(tmp_path / "benchmark" / "mine.yaml") is None


def test_a_program_that_shows_no_parser_is_not_run(tmp_path):
    script = tmp_path / "train.sh"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    script.chmod(0o755)
    with pytest.raises(ConfigError, match="stand nowhere in it"):
        propose(script, tmp_path / "conf")
    assert not (tmp_path / "ran").exists()


@pytest.mark.process
@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_compiled_program_passes_check_script_as_it_is(workplace):
    subprocess.run(["cc", "-o", workplace.path / "train", SHAPES / "train.c"], check=True)
    out = succeeded(workplace.verb("init", "train"))
    assert out.splitlines()[-1] == "then: hpo check-script --config-dir conf benchmark=train"
    out = succeeded(workplace.verb("check-script", "--config-dir", "conf", "benchmark=train", "method=ASHA-STOP"))
    assert re.search(r"^reports +ok +epoch, loss, ", out, re.MULTILINE)
    assert re.search(r"^end +ok ", out, re.MULTILINE)
    assert out.splitlines()[-1] == "then: hpo --config-dir conf benchmark=train method=BO-MEDIAN", "it saves nothing"


ANNEAL = r"""
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
  if (argc != 3) { fprintf(stderr, "usage: anneal STEPS COOLING\n"); return 64; }
  for (int step = 1; step <= atoi(argv[1]); step++) printf("step %d loss %g\n", step, atof(argv[2]) / step);
}
"""


@pytest.mark.process
@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_program_with_a_usage_line_runs_once_its_numbers_are_completed(workplace):
    (workplace.path / "anneal.c").write_text(ANNEAL)
    subprocess.run(["cc", "-o", "anneal", "anneal.c"], check=True, cwd=workplace.path)
    assert "is source code of a compiled language; compile it" in error_of(workplace.verb("init", "anneal.c"))
    out = succeeded(workplace.verb("init", "anneal"))
    assert [line for line in out.splitlines() if "to complete" in line] == [
        "  to complete: cooling",
        '  to complete: "1"',
    ]
    path = workplace.path / "conf" / "benchmark" / "anneal.yaml"
    text = path.read_text()
    assert "# in its text: step %d loss %g" in text
    assert "# TODO: its usage line: anneal STEPS COOLING; write its range" in text
    assert "it is still ???; complete the line" in error_of(
        workplace.verb("plan", "--config-dir", "conf", "benchmark=anneal", "method=ASHA-STOP")
    )
    text = text.replace('lower: "???", upper: "???"', "lower: 0.5, upper: 1.0").replace('"1": ???', '"1": 4')
    path.write_text(text)
    words = ("--config-dir", "conf", "benchmark=anneal", "method=ASHA-STOP")
    out = succeeded(workplace.verb("check-script", *words))
    assert re.search(r"^reports +ok +.*loss.*, 4 times", out, re.MULTILINE), out
    assert re.search(r"^end +ok ", out, re.MULTILINE), out


HELP_ELSEWHERE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv) {
  double rate = 0.1; int epochs = 4;
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "-?")) return printf("usage: %s [options]\noptions:\n  -l <rate>   learning rate (default: 0.1)\n"
                                              "  -e <epochs>   number of epochs (default: 4)\n", argv[0]) < 0;
    if (!strcmp(argv[i], "-l")) rate = atof(argv[++i]);
    else if (!strcmp(argv[i], "-e")) epochs = atoi(argv[++i]);
  }
  for (int epoch = 1; epoch <= epochs; epoch++) printf("epoch %d/%d | error: %.6f\r", epoch, epochs, rate / epoch);
}
"""


@pytest.mark.process
@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_compiled_program_that_shows_its_help_for_none_of_the_usual_options_has_it_in_its_text(workplace):
    (workplace.path / "nn.c").write_text(HELP_ELSEWHERE)
    subprocess.run(["cc", "-o", "nn", "nn.c"], check=True, cwd=workplace.path)
    assert "to complete" not in succeeded(workplace.verb("init", "nn"))
    content = read_plain(workplace.path / "conf/benchmark/nn.yaml")
    assert {name: domain["argument"] for name, domain in content["config_space"].items()} == {"learning_rate": "-l"}
    assert content["arguments"] == {"-e": 4}
    out = succeeded(workplace.verb("check-script", "--config-dir", "conf", "benchmark=nn", "method=ASHA-STOP"))
    assert re.search(r"^reports +ok +.*error.*, 4 times", out, re.MULTILINE), out


@pytest.mark.process
@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_the_text_of_a_compiled_program_is_enough_if_it_trains_when_it_is_asked_for_help(tmp_path, monkeypatch):
    monkeypatch.setattr(help_text, "SECONDS", 0.5)
    begin = "int argc, char **argv) {"
    forever = HELP_ELSEWHERE.replace(begin, f"{begin}\n  if (argc < 2 || *argv[1]) for (;;) sleep(9);")
    (tmp_path / "nn.c").write_text(f"#include <unistd.h>\n{forever}")
    subprocess.run(["cc", "-o", "nn", "nn.c"], check=True, cwd=tmp_path)
    content = read_plain(propose(tmp_path / "nn", tmp_path).path)
    assert list(content["config_space"]) == ["learning_rate"]


def test_a_folder_in_which_nothing_can_be_written_is_one_sentence_with_the_remedy(tmp_path):
    (tmp_path / "conf").write_text("a file")
    with pytest.raises(
        ConfigError, match=r"mine\.yaml: cannot be written \(.*conf.*\); name another folder with --output"
    ):
        propose(SHAPES / "words.py", tmp_path / "conf")


@pytest.mark.process
@pytest.mark.parametrize("script", ["click_app.py", "subcommands.py", "hydra_structured.py", "opts_apart/train.py"])
def test_the_verb_ends_with_a_command_that_passes_as_it_is(workplace, script):
    shutil.copytree(SHAPES, workplace.path, dirs_exist_ok=True)
    last = succeeded(workplace.verb("init", script)).splitlines()[-1]
    assert last == f"then: hpo check-script --config-dir conf benchmark={Path(script).stem}"
    out = succeeded(workplace.verb(*last.removeprefix("then: hpo ").split(), "method=ASHA-STOP"))
    for check in ("reports", "resources", "end"):
        assert re.search(rf"^{check} +ok ", out, re.MULTILINE), out
    overrides = ("--config-dir", "conf", last.split()[-1], "method=RS")
    assert "max_num_trials=20" in succeeded(workplace.verb("plan", *overrides))


@pytest.mark.process
def test_an_unfinished_file_is_refused_with_the_line_to_complete(workplace):
    out = succeeded(workplace.verb("init", str(SHAPES / "lightning_module.py"), "--name", "light", "--output", "own"))
    assert "  to complete: data_dir" in out
    assert "--config-dir own benchmark=light" in out
    sentence = error_of(workplace.verb("check-script", "--config-dir", "own", "benchmark=light"))
    expected = "it is still ???; complete the line `data_dir: ???` in the benchmark's YAML"
    assert sentence == f"benchmark.arguments.data_dir: {expected}"
    assert "there is a file of that name already" in error_of(
        workplace.verb("init", str(SHAPES / "lightning_module.py"), "--name", "light", "--output", "own")
    )


def test_the_page_shows_the_file_that_is_written(tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "own-script.md").read_text()
    script, shown = (
        re.search(rf"```{kind}\n(.*?)```", page, re.DOTALL)[1] for kind in ("python file=train.py", "yaml")
    )
    (tmp_path / "train.py").write_text(script)
    monkeypatch.chdir(tmp_path)
    assert propose("train.py", Path("conf")).path.read_text() == shown
