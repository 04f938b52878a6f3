"""Makes stored.tar.xz: directories of experiments as the version that is installed leaves them.

    grown      random search that is complete with its budget, `backend=local` given
    killed     ASHA whose tuner was killed after a dozen reports, trials paused and running
    simulated  MOBSTER from a table

Run once with version 0.1.0. Paths of the machine and its name are replaced in what is kept.
"""

import io
import os
import platform
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import hpo

HERE = Path(__file__).parent
ARCHIVE = HERE / "stored.tar.xz"
SCRIPTS = "/scripts-of-the-tests"
"""Stands in the archive for the folder of the tests' scripts."""
BENCHMARK = {
    "name": "mine",
    "metric": "loss",
    "mode": "min",
    "resource_attr": "epoch",
    "max_resource_attr": "epochs",
    "config_space": {
        "x": {"type": "float", "lower": 0.0, "upper": 1.0},
        "foo": {"type": "int", "lower": 1, "upper": 64, "log": True},
    },
    "arguments": {"epochs": 9, "sleep": 0.01},
    "n_workers": 2,
    "max_num_trials": 9,
    "max_wallclock_time": 600,
    "num_gpus_per_trial": 0,
}


class Killed(hpo.Callback):
    """Ends the tuner as a crash would."""

    def __init__(self, after: int) -> None:
        self.left = after

    def on_event(self, event: Any) -> None:
        self.left -= event.kind == "reported"
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def make(name: str, folder: Path, scripts: Path) -> None:
    """One experiment, run in this process."""
    socket.gethostname = lambda: "a-machine"  # type: ignore[assignment]
    benchmark = {**BENCHMARK, "script": str(scripts / "steps.py")}
    common = {"experiment_tag": name, "random_seed": 11}
    match name:
        case "grown":
            config = hpo.load_config(benchmark, "RS", max_num_trials=3, backend={"name": "local"}, **common)
            hpo.run_experiment(config, folder / "grown/mine/RS/seed_0")
        case "killed":
            config = hpo.load_config(benchmark, "ASHA", **common)
            hpo.run_experiment(config, folder / "killed/mine/ASHA/seed_0", callbacks=[Killed(12)])
        case "simulated":
            config = hpo.load_config("generated_typical", "MOBSTER", max_num_trials=30, **common)
            hpo.run_experiment(config, folder / "simulated/generated_typical/MOBSTER/seed_0")


def main() -> None:
    """Make all, and pack them."""
    scripts = HERE.parent / "support" / "scripts"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in ("grown", "killed", "simulated"):
            subprocess.run(
                [sys.executable, "-m", "tests.golden.store", each, name, str(scripts)], check=each != "killed"
            )
        with tarfile.open(ARCHIVE, "w:xz", preset=9) as archive:
            for path in sorted(folder.rglob("*")):
                member = archive.gettarinfo(path, str(path.relative_to(folder)))
                member.uid = member.gid = 0
                member.uname = member.gname = ""
                if path.suffix in (".yaml", ".log", ".json"):
                    text = path.read_text().replace(str(scripts), SCRIPTS).replace(sys.executable, "/usr/bin/python3")
                    text = text.replace(f"{platform.system()} {platform.release()}", "Linux 6.1")
                    content = text.encode()
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
                elif path.is_file():
                    archive.addfile(member, io.BytesIO(path.read_bytes()))
                else:
                    archive.addfile(member)


if __name__ == "__main__":
    if sys.argv[1:]:
        make(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
