"""Where the package comes from when a host is started, and what lies in the working directory."""

import subprocess
import sys

import pytest

import hpo
from tests.conftest import SCRIPTS, succeeded
from tests.host.test_host import HostProcess

pytestmark = pytest.mark.process

SHADOWS = ("argparse", "contextlib", "json", "logging", "random", "select", "signal", "tempfile", "typing")


def run(workplace, *arguments):
    """The command `hpo`, which unlike `python -m hpo` does not look in the working directory."""
    command = [sys.executable, "-P", "-c", "from hpo.__main__ import main; main()", "--config-dir", "conf", *arguments]
    return subprocess.run(command, cwd=workplace.path, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["hpo.py", "hpo/__init__.py"])
def test_a_module_called_hpo_in_the_working_directory_is_left_alone(workplace, name):
    workplace.write(name, "raise RuntimeError('not ours')")
    script = workplace.write("train.py", (SCRIPTS / "steps.py").read_text())
    workplace.benchmark(script=str(script))
    succeeded(run(workplace, "benchmark=mine", "method=RS", "experiment_tag=t"))
    assert set(hpo.load_experiment(workplace.directory("t")).trials["status"]) == {"completed"}


def test_neither_a_sweep_nor_its_hosts_take_modules_of_python_from_the_working_directory(workplace):
    for name in ("hpo", *SHADOWS):
        workplace.write(f"{name}.py", "raise RuntimeError('not ours')")
    workplace.benchmark(preload=["statistics"])
    succeeded(run(workplace, "benchmark=mine", "method=RS", "num_seeds=2", "experiment_tag=t"))
    for seed in (0, 1):
        experiment = hpo.load_experiment(workplace.directory("t", "RS", seed))
        assert set(experiment.trials["status"]) == {"completed"}


def test_the_package_is_the_one_that_the_host_belongs_to(tmp_path):
    (tmp_path / "hpo.py").write_text("raise RuntimeError('not ours')")
    host = HostProcess(tmp_path, env={"PYTHONPATH": str(tmp_path)}, cwd=tmp_path)
    outcome, out, err = host.run("import hpo; print(hpo.__file__)")
    assert (outcome["code"], out, err) == (0, f"{hpo.__file__}\n", "")
    host.close()
