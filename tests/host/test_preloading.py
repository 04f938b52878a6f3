"""What a script imports first is imported once, but for what a trial could tell from a fresh interpreter."""

import os
import signal
import sys

import pytest

from hpo.host import process_marks
from hpo.host.host_start import shared_imports
from hpo.host.preloading import AUTO
from tests.conftest import succeeded
from tests.host.test_host import HostProcess, wait_for_file

pytestmark = pytest.mark.process

PACKAGES = {
    "clean": "import json\nvalue = 5",
    "sets": "import os\nos.environ['SET_BY_IMPORT'] = '1'",
    "takes": "import os\nos.environ.pop('TO_BE_TAKEN')",
    "threads": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "starts": "import subprocess\nkept = subprocess.Popen(['sleep', '61'])",
    "forks": "import os, time\nif os.fork() == 0:\n    time.sleep(61)\n    os._exit(0)",
    "opens": "kept = open('/dev/zero')",
    "handles": "import signal\nsignal.signal(signal.SIGUSR1, print)",
    "moves": "import os\nos.chdir('/')",
    "leads": "import sys\nsys.path.insert(0, '/nowhere')",
    "prints": "print('hello')",
    "writes": "import os\nos.write(1, b'hello')",
    "raises": "raise ValueError('no')",
    "exits": "import sys\nsys.exit(3)",
    "vanishes": "import os\nos._exit(3)",
    "crashes": "import ctypes\nctypes.string_at(0)",
    "leans": "import threads, clean",
    "warns": "import sys\nsys.stderr.write('heard in the log of the host')",
    "ran": "import subprocess\nsubprocess.run(['true'], check=True)",
    "sub": "",
    "sub.other": "value = 7",
}
REASONS = {
    "sets": "it changes the environment SET_BY_IMPORT",
    "takes": "it changes the environment TO_BE_TAKEN",
    "threads": "it starts a thread",
    "starts": "it starts a process",
    "forks": "it starts a process",
    "opens": "it opens /dev/zero",
    "handles": "it sets handlers of signals",
    "moves": "it changes the working directory",
    "leads": "it changes sys.path",
    "prints": "it prints",
    "writes": "it prints",
    "raises": "it cannot be imported: ValueError: no",
    "exits": "it cannot be imported: SystemExit: 3",
    "vanishes": "it ends the process",
    "crashes": "it ends the process",
    "leans": "it starts a thread",
}


@pytest.fixture
def installed(tmp_path):
    """A folder of installed packages, as an environment."""
    for name, text in PACKAGES.items():
        folder = tmp_path.joinpath("site-packages", *name.split("."))
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(text)
    return {"PYTHONPATH": str(tmp_path / "site-packages"), "TO_BE_TAKEN": "1"}


@pytest.fixture(params=["of its own", "of a nursery"])
def host_with(request, tmp_path, installed):
    """Makes a host that has what can be imported unnoticed."""
    made = []

    def make(*modules):
        made.append(HostProcess(tmp_path, AUTO, *modules, env=installed, forked=request.param == "of a nursery"))
        return made[0]

    with shared_imports():
        yield make
        assert made[0].close() in (0, None)  # nobody knows how a forked host ended
    assert process_marks.marked(made[0].mark, whole_experiment=True) == []


SEE = "import os, sys; print([name for name in {names!r} if name in sys.modules], 'SET_BY_IMPORT' in os.environ)"


def test_what_leaves_a_trace_is_left_out_and_the_reason_is_said(host_with):
    names = [name for name in PACKAGES if not name.startswith("sub")]
    host = host_with(*names)
    assert host.outcome() == {"preloaded": ["clean", "warns", "ran"], "left_out": REASONS}
    outcome, out, err = host.run(SEE.format(names=names))
    assert (outcome["code"], out, err) == (0, "['clean', 'warns', 'ran'] False\n", "")


@pytest.mark.parametrize("name", ["starts", "forks"])
def test_what_an_import_has_started_is_ended(host_with, name):
    host = host_with(name)
    assert host.outcome() == {"preloaded": [], "left_out": {name: "it starts a process"}}
    _, out, _ = host.run("import os\nprint(os.getppid())")
    # The one that waits for it is left, and what is ready for the next trial.
    assert len(process_marks.marked(host.mark)) <= 3
    assert int(out) in process_marks.marked(host.mark)


def test_names_that_are_taken_from_a_package_are_imported_with_it(host_with):
    host = host_with("sub:other,nothing_of_the_kind", "clean:value")
    assert host.outcome() == {"preloaded": ["sub", "clean"], "left_out": {}}
    assert host.run("import sys; print('sub.other' in sys.modules)")[1] == "True\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_host_takes_its_trials_and_what_waits_for_it_along(tmp_path, installed, number):
    host = HostProcess(tmp_path, AUTO, "clean", env=installed)
    host.outcome()
    script = tmp_path / "wait.py"
    script.write_text("import os, sys, time; open(sys.argv[1], 'w').write(str(os.getppid())); time.sleep(60)")
    host.start(script, [str(script), str(tmp_path / "ready")])
    os.kill(int(wait_for_file(tmp_path / "ready")), number)
    assert host.process.wait(10.0) == 128 + number
    process_marks.wait_gone(process_marks.marked(host.mark, whole_experiment=True), 5.0)
    assert process_marks.marked(host.mark, whole_experiment=True) == []
    assert host.socket.recv(1) == b""
    host.socket.close()


def test_when_what_waits_for_the_host_is_killed_all_die_with_it(tmp_path, installed):
    host = HostProcess(tmp_path, AUTO, "clean", env=installed)
    host.outcome()
    host.start(argv=["sh", "-c", f"echo ready > {tmp_path}/ready; exec sleep 60"])
    wait_for_file(tmp_path / "ready")
    host.process.kill()
    host.close()
    process_marks.wait_gone(process_marks.marked(host.mark, whole_experiment=True), 5.0)
    assert process_marks.marked(host.mark, whole_experiment=True) == []


@pytest.mark.long
def test_with_torch_comes_what_the_first_step_of_an_optimizer_imports(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)  # this process may have imported it, too
    host = HostProcess(tmp_path, AUTO, "torch:nn")
    assert host.outcome() == {"preloaded": ["torch", "torch._dynamo"], "left_out": {}}
    _, out, _ = host.run(
        "import os, sys; print('torch._dynamo' in sys.modules, 'TORCHINDUCTOR_CACHE_DIR' in os.environ)"
    )
    assert out == "True False\n"
    host.close()


SCRIPT = """
import clean, sets
import hpo
import sys
print("clean" in sys.modules)
hpo.report(loss=0.5)
"""


@pytest.mark.parametrize(
    ("preload", "said"),
    [
        (..., True),
        ("auto", True),
        ([], False),
        (["clean"], False),
        (None, False),
    ],
)
def test_one_line_says_what_is_imported_once_and_what_is_left_out(workplace, installed, preload, said):
    script = workplace.write("train.py", SCRIPT)
    workplace.benchmark(script=str(script), preload=preload, arguments={}, resource_attr=None, max_resource_attr=None)
    result = workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t", **installed)
    succeeded(result)
    line = "preload=auto: clean imported once for all trials; left out: sets (it changes the environment SET_BY_IMPORT)"
    assert [text for text in result.stderr.splitlines() if "preload" in text] == ([f"hpo: {line}"] if said else [])
    assert (line in (workplace.directory("t") / "hpo.log").read_text()) == said


def test_nothing_is_said_of_a_script_that_imports_no_package(workplace):
    assert "preload" not in workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t").stderr


def test_the_error_of_a_script_that_cannot_be_read_is_that_of_its_trial(workplace):
    script = workplace.write("broken.py", "import numpy\nprint('a'\n")
    workplace.benchmark(script=str(script), arguments={}, resource_attr=None, max_resource_attr=None)
    result = workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t")
    assert result.returncode == 1
    assert "SyntaxError: '(' was never closed" in result.stderr
    assert "preload" not in result.stderr


def test_the_experiments_of_a_sweep_import_what_their_script_names_once(workplace, tmp_path):
    folder = tmp_path / "site-packages" / "counted"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(f"open({str(tmp_path / 'imports')!r}, 'a').write('x')")
    script = workplace.write("train.py", "import counted\nimport hpo\nhpo.report(loss=0.5)")
    workplace.benchmark(script=str(script), arguments={}, resource_attr=None, max_resource_attr=None)
    workplace.environment["PYTHONPATH"] = str(tmp_path / "site-packages")
    succeeded(workplace.hpo("benchmark=mine", "method=RS", "num_seeds=2", "experiment_tag=t"))
    assert (tmp_path / "imports").read_text() == "x"


@pytest.mark.skipif(sys.flags.safe_path, reason="without the script's folder on the path none of its modules is found")
def test_modules_of_the_user_s_are_never_imported_for_all(workplace, installed):
    workplace.write("mine.py", "import os\nopen('imports', 'a').write(f'{os.getpid()} ')")
    script = workplace.write(
        "train.py", "import mine\nimport clean\nimport hpo, os\nprint(os.getpid())\nhpo.report(loss=0.5)"
    )
    workplace.benchmark(script=str(script), arguments={}, resource_attr=None, max_resource_attr=None)
    result = workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t", **installed)
    succeeded(result)
    assert "preload=auto: clean imported" in result.stderr
    trials = workplace.directory("t") / "trials"
    pids = {(trials / f"{number}/attempt_0/stdout.log").read_text().strip() for number in range(3)}
    assert set((workplace.path / "imports").read_text().split()) == pids
