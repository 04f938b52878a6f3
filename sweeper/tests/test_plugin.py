"""The plugin among others: every Hydra app of the environment loads it, hpo's own command too."""

import subprocess
import sys

import pytest

from tests.support import forking

FOUND = """import sys
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
names = [kind.__name__ for kind in Plugins.instance().discover(Sweeper)]
import hydra_plugins.hydra_hpo_sweeper as ours
sys.stdout.write(" ".join([str("HpoSweeper" in names), *sys.modules]))
"""


@pytest.mark.process
def test_to_be_found_it_loads_itself_alone():
    found, *modules = subprocess.run(
        [sys.executable, "-c", FOUND], capture_output=True, check=True, text=True
    ).stdout.split()
    assert found == "True"
    assert [name for name in modules if name.startswith("hydra_plugins.")] == [
        "hydra_plugins.hydra_hpo_sweeper",
        "hydra_plugins.hydra_hpo_sweeper.hpo_sweeper",
    ]
    assert not {name.partition(".")[0] for name in modules} & {"hpo", "numpy", "pandas", "scipy", "rich", "click"}


@pytest.mark.process
def test_hpo_itself_does_not_take_it(tmp_path):
    done = forking.run("hydra/sweeper=hpo", "benchmark=mlp_digits", cwd=tmp_path, env={})
    assert done.returncode == 1
    assert done.stderr.startswith("hpo: error: hydra/sweeper=hpo: hpo searches by its methods: choose one by method=")
