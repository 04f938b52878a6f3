"""What is recorded of the code that trials run, and when it is said to have changed."""

import subprocess
import time
from pathlib import Path

import pytest

from hpo.backends import executables
from hpo.config.schema import BenchmarkConfig
from hpo.events.code import changed_files
from hpo.experiment import code_digests
from hpo.experiment.code_digests import code_of
from hpo.reports.writing import write_report
from hpo.results.experiment import load_experiment
from tests.conftest import error_of, succeeded

pytestmark = pytest.mark.process


def benchmark(**program):
    return BenchmarkConfig(name="mine", metric="loss", config_space={}, **program)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a script and a module of it, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("import model\n")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "model.py").write_text("x = 1\n")
    (tmp_path / "results.csv").write_text("1\n")
    return tmp_path


def git(folder, *arguments):
    command = ["git", "-c", "user.email=a@example.org", "-c", "user.name=a", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    ("program", "script"),
    [
        ({"script": "train.py"}, "train.py"),
        ({"command": ["python3", "train.py", "x"]}, "train.py"),
        ({"command": ["python3", "-m", "torch.distributed.run", "--nproc-per-node=2", "train.py"]}, "train.py"),
        ({"command": ["sh", "-c", "exit"]}, None),
        ({"command": ["sh", "-c", "exit", "results.csv"]}, None),
        ({"table": "table"}, None),
    ],
)
def test_the_script_is_the_file_that_the_user_names(project, program, script):
    found = code_of(benchmark(**program))
    assert found is None if script is None else found["script"] == str(project / script)


def test_a_program_given_by_its_path_is_the_script(project):
    program = project / "train"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert code_of(benchmark(command=["./train"]))["script"] == str(program)


def test_the_folder_and_the_sources_are_recorded_and_nothing_that_no_job_needs(project):
    (project / "__pycache__").mkdir()
    (project / "__pycache__" / "model.py").write_text("")
    (project / ".secret.py").write_text("")
    found = code_of(benchmark(script="train.py"))
    assert found["directory"] == str(project)
    assert set(found["sources"]) == {"train.py", "parts/model.py"}
    assert (found["commit"], found["dirty"]) == (None, None), "this is no repository"


def test_equal_files_have_equal_digests_and_any_change_shows(project):
    before = code_of(benchmark(script="train.py"))
    assert code_of(benchmark(script="train.py")) == before
    (project / "results.csv").write_text("2\n")
    after = code_of(benchmark(script="train.py"))
    assert after["all"] != before["all"]
    assert changed_files(before, after) == [], "what a script writes beside itself is no code"
    (project / "new.py").write_text("")
    assert changed_files(before, code_of(benchmark(script="train.py"))) == []
    (project / "parts" / "model.py").write_text("x = 2\n")
    (project / "train.py").write_text("import parts.model\n")
    assert changed_files(before, code_of(benchmark(script="train.py"))) == ["train.py", "parts/model.py"]


def test_the_commit_is_gits_and_a_change_makes_it_dirty(project, monkeypatch):
    monkeypatch.setattr(code_digests, "GIT_SECONDS", 30)
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "x")
    found = code_of(benchmark(script="train.py"))
    assert (found["commit"], found["dirty"]) == (git(project, "rev-parse", "HEAD"), False)
    (project / "train.py").write_text("")
    assert code_of(benchmark(script="train.py"))["dirty"] is True


@pytest.mark.parametrize("limit", [("MOST_FILES", 3), ("MOST_BYTES", 10)])
def test_of_a_folder_that_holds_much_only_the_script_is_recorded(project, monkeypatch, limit):
    monkeypatch.setattr(executables, *limit)
    before = code_of(benchmark(script="train.py"))
    assert (before["sources"], before["all"]) == (None, None)
    (project / "parts" / "model.py").write_text("x = 2\n")
    assert changed_files(before, code_of(benchmark(script="train.py"))) == []
    (project / "train.py").write_text("x = 2\n")
    assert changed_files(before, code_of(benchmark(script="train.py"))) == ["train.py"]


def test_a_git_that_does_not_answer_is_not_waited_for(project, monkeypatch):
    (project / "bin").mkdir()
    slow = project / "bin" / "git"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:/usr/bin:/bin")
    begin = time.monotonic()
    assert code_of(benchmark(script="train.py"))["commit"] is None
    assert time.monotonic() - begin < 10


COMMAND = ("benchmark=mine", "method=RS", "experiment_tag=t")


@pytest.fixture
def resumed(workplace):
    """A complete experiment of a script that has changed since."""
    steps = (Path(__file__).parents[1] / "support/scripts/steps.py").read_text()
    script = workplace.write("train.py", steps)
    workplace.benchmark(script="train.py")
    succeeded(workplace.hpo(*COMMAND))
    script.write_text(steps + "# another\n")
    return workplace


def test_a_script_that_changed_between_sessions_is_one_warning_and_shown_in_status(resumed):
    result = resumed.hpo(*COMMAND, "max_num_trials=5")
    succeeded(result)
    (line,) = result.stderr.splitlines()
    assert line.startswith("hpo: train.py has changed since the last session: the results of 3 trial(s)")
    experiment = load_experiment(resumed.directory("t"))
    assert experiment.state.code.changes == {2: ["train.py"]}
    assert experiment.metadata["code"]["directory"] == str(resumed.path)
    assert "code train.py changed before session 2" in succeeded(resumed.verb("status", "t"))
    page = write_report(resumed.directory("t"), resumed.path / "report.html").read_text()
    assert "train.py; results of both are mixed" in page
    assert "code.digest" in page
    assert "code.sources" not in page, "every file of a large project would stand there"
    again = resumed.hpo(*COMMAND, "max_num_trials=6")
    assert again.stderr == "", "what was said is the difference to the session before"


def test_it_can_be_refused_and_nothing_is_changed_then(resumed):
    before = load_experiment(resumed.directory("t")).events
    sentence = error_of(resumed.hpo(*COMMAND, "max_num_trials=5", "code_changes=refuse"))
    assert "code_changes=refuse: train.py has changed" in sentence
    assert load_experiment(resumed.directory("t")).events == before
