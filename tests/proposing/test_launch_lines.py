"""Lines that start a script, as docstrings, shell scripts and READMEs have them, and what init makes of them."""

import sys

import pytest

from hpo.config.yaml_files import read_plain
from hpo.proposing import launch_lines
from hpo.proposing.launch_lines import read_launch_lines
from hpo.proposing.proposal import write_benchmark

PARSER = """import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--data", required=True)
parser.add_argument("--device")
parser.parse_args()
print(f"val_loss: {1.0}")
"""


@pytest.fixture(autouse=True)
def torchrun_is_there(monkeypatch):
    monkeypatch.setattr(launch_lines.shutil, "which", lambda name: f"/bin/{name}")


@pytest.fixture
def lines(tmp_path):
    """A function that returns the lines which a text in a shell script beside train.py has."""

    def read(text, name="run.sh"):
        (tmp_path / "train.py").write_text("")
        (tmp_path / name).write_text(text)
        return read_launch_lines(tmp_path / "train.py")

    return read


@pytest.mark.parametrize(
    ("text", "launcher", "processes"),
    [
        ("torchrun --nproc_per_node=2 train.py", ["torchrun", "--standalone", "--nproc_per_node=2"], 2),
        ("torchrun --nproc-per-node 2 src/train.py", ["torchrun", "--standalone", "--nproc-per-node=2"], 2),
        ("torchrun train.py", ["torchrun", "--standalone", "--nproc-per-node=1"], 1),
        (
            "torchrun --nnodes=2 --rdzv_endpoint=$HOST:29500 \\\n  --nproc_per_node 8 \\\n  train.py --lr 1",
            ["torchrun", "--standalone", "--nproc_per_node=8"],
            8,
        ),
        (
            "GPUS=4\npython -m torch.distributed.launch --nproc_per_node=$GPUS --use_env train.py",
            ["python", "-m", "torch.distributed.launch", "--standalone", "--nproc_per_node=4", "--use_env"],
            4,
        ),
        ("accelerate launch --num_processes ${N:-3} train.py", ["accelerate", "launch", "--num_processes=3"], 3),
        ("mpirun -np 2 train.py", ["mpirun", "-np", "2"], 2),
        ("CUDA_VISIBLE_DEVICES=0 python3 -u train.py", [], 1),
    ],
)
def test_a_line_of_a_shell_script_gives_the_launcher_for_one_machine(lines, text, launcher, processes):
    (line,) = lines(text)
    assert (list(line.launcher), line.processes) == (launcher, processes)


@pytest.mark.parametrize(
    "text", ["python other_train.py", "torchrun eval.py", "python train.pyc", "the train.py script"]
)
def test_lines_that_start_something_else_are_none(lines, text):
    assert lines(text) == []


def test_values_on_the_line_are_those_of_the_scripts_options_but_not_placeholders(lines):
    (line,) = lines("python train.py --lr 0.1 --data=/data/c10 --out $OUT --model MODEL --amp --n 3 > log")
    assert line.arguments == {"lr": "0.1", "data": "/data/c10", "n": "3"}


def test_without_torchrun_on_path_it_is_run_as_a_module_of_this_python(lines, monkeypatch):
    monkeypatch.setattr(launch_lines.shutil, "which", {}.get)
    (line,) = lines("torchrun --nproc-per-node=2 train.py")
    assert line.launcher[:3] == [sys.executable, "-m", "torch.distributed.run"]


def test_trials_get_the_other_values_of_the_line_that_starts_them(tmp_path):
    (tmp_path / "train.py").write_text(PARSER)
    (tmp_path / "run.sh").write_text("torchrun --nproc-per-node=2 train.py --data d --lr 0.01 --device cuda\n")
    content = read_plain(write_benchmark(script=tmp_path / "train.py", name="mine", folder=tmp_path, gpus=False).path)
    assert content["arguments"] == {"data": "d", "device": "cuda"}
    assert content["points_to_evaluate"] == [{"lr": 0.01}]


@pytest.mark.parametrize(("gpus", "expected"), [(True, 2), (False, 0)])
def test_the_command_of_a_docstring_is_proposed_with_its_place(tmp_path, gpus, expected):
    script = tmp_path / "train.py"
    script.write_text(f'"""Train.\n\n    torchrun --nproc-per-node=2 train.py --data d\n"""\n{PARSER}')
    path = write_benchmark(script=script, name="mine", folder=tmp_path, gpus=gpus).path
    content = read_plain(path)
    assert content["command"] == ["torchrun", "--standalone", "--nproc-per-node=2", str(script)]
    assert "script" not in content
    assert content["arguments"] == {"data": "d"}
    assert content["num_gpus_per_trial"] == expected
    assert path.read_text().count("# as in line 3\n") == 2


def test_where_the_script_also_runs_alone_the_launcher_is_only_mentioned(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(PARSER)
    (tmp_path / "README.md").write_text(
        "    python train.py --data d\n    torchrun --nproc-per-node=2 train.py --data d\n"
    )
    path = write_benchmark(script=script, name="mine", folder=tmp_path, gpus=True).path
    assert (read_plain(path)["script"], read_plain(path)["num_gpus_per_trial"]) == (str(script), 1)
    assert "# In place of script, as in README.md line 2: command: [torchrun, " in path.read_text()
    assert "and num_gpus_per_trial: 2." in path.read_text()
