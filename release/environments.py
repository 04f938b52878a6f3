"""Environments without the clone: what works in them, and how large a new one is."""

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from release.running import Failed, run, say

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
HYDRA = ("hydra-core>=1.4.0rc3,<1.5", "omegaconf>=2.4.1rc1,<2.5")
"""The next Hydra; candidates for a release are taken until there is one."""
RESOLUTIONS = ("highest", "lowest-direct", "next-hydra")
"""Of dependencies, as uv calls them: the newest, the lowest that pyproject.toml allows, the newest with the next Hydra."""
CORE = {"seconds": 20, "megabytes": 340, "packages": 24}
"""What a new environment with hpo alone may take."""
BESIDE = {"pip", "setuptools"}
"""Packages of any new environment."""
SCRIPT = """
import sys

given = dict(word.removeprefix("--").split("=") for word in sys.argv[1:])
lr = float(given["lr"])
for epoch in range(1, int(given["epochs"]) + 1):
    print(f"epoch {epoch} loss {(lr - 0.3) ** 2 / epoch + 0.01}", flush=True)
"""
BENCHMARK = """
name: own
script: train.py
metric: loss
mode: min
resource_attr: epoch
max_resource_attr: epochs
arguments: {epochs: 3}
report_channel: stdout
patterns: {loss: 'loss ([0-9.e+-]+)', epoch: 'epoch ([0-9]+)'}
config_space: {lr: {type: float, lower: 0.01, upper: 1}}
num_gpus_per_trial: 0
"""
APP = """
import hydra


@hydra.main(version_base="1.3", config_path=None, config_name=None)
def train(config):
    return (config.x - 0.3) ** 2


train()
"""
SWEEP = (
    *("app.py", "-m", "+x=interval(0, 1)", "hydra/sweeper=hpo", "hydra.sweeper.method=RS"),
    *("hydra.sweeper.max_num_trials=3", "hydra.sweeper.num_gpus_per_trial=0"),
)
"""A Hydra app, tuned by the sweeper."""
COMMANDS = (
    "hpo --version",
    "hpo --help",
    "hydra-hpo help status",
    "hpo benchmark=generated_typical method=RS,ASHA-GP num_seeds=2 max_num_trials=20 experiment_tag=simulated",
    "hpo compare simulated",
    "hpo report simulated",
    "hpo --config-dir conf benchmark=own method=ASHA max_num_trials=4 n_workers=2 experiment_tag=real",
    "hpo status real",
    "hpo replay real",
    "hpo report real",
    "hpo completion bash",
)
"""What works with the wheel alone, in a directory that has nothing but a program and its benchmark."""


def interpreters() -> dict[str, str]:
    """The Pythons that are here, by their versions: those on PATH, of pyenv and of uv."""
    found: dict[str, str] = {}
    homes = [Path.home() / ".pyenv" / "versions", Path.home() / ".local" / "share" / "uv" / "python"]
    for version in PYTHONS:
        candidates = [shutil.which(f"python{version}") or ""]
        candidates += [str(path) for home in homes for path in sorted(home.glob(f"*{version}.*/bin/python{version}"))]
        for candidate in filter(None, candidates):
            asked = subprocess.run(
                [candidate, "-c", "import sys; print(*sys.version_info[:2], sep='.')"],
                capture_output=True,
                text=True,
                check=False,
            )
            if asked.returncode == 0 and asked.stdout.strip() == version:
                found[version] = candidate
                break
    return found


def check_environment(python: str, wheels: Sequence[Path], folder: Path, tools: Path, resolution: str) -> None:
    """The wheels alone, in a new environment and in another directory."""
    folder.mkdir()
    env, place = folder / "env", folder / "place"
    run("uv", "venv", "--quiet", "--python", python, env, cwd=folder, path=tools)
    install = ("uv", "pip", "install", "--quiet", "--python", env)
    if resolution == "next-hydra":
        run(*install, *HYDRA, *wheels, cwd=folder, path=tools)
    else:
        run(*install, "--resolution", resolution, *wheels, cwd=folder, path=tools)
    (place / "conf" / "benchmark").mkdir(parents=True)
    (place / "train.py").write_text(SCRIPT)
    (place / "app.py").write_text(APP)
    (place / "conf" / "benchmark" / "own.yaml").write_text(BENCHMARK)
    for command in COMMANDS:
        run(*command.split(), cwd=place, path=env)
    run("python", *SWEEP, cwd=place, path=env)
    if " 0 different" not in run("hpo", "replay", "real", cwd=place, path=env):
        raise Failed(f"{folder.name}: replay finds other decisions")
    for tag in ("simulated", "real"):
        if not list((place / "outputs" / tag).glob("**/report.html")):
            raise Failed(f"{folder.name}: no report of {tag}")


def measure_core(wheel: Path, folder: Path) -> None:
    """What `python -m venv` and `pip install` take."""
    folder.mkdir()
    began = time.monotonic()
    run(sys.executable, "-m", "venv", folder / "env", cwd=folder)
    run("pip", "install", "--quiet", wheel, cwd=folder, path=folder / "env")
    seconds = time.monotonic() - began
    listed = run("pip", "list", "--format", "freeze", "--disable-pip-version-check", cwd=folder, path=folder / "env")
    packages = {line.partition("==")[0] for line in listed.split()} - {""}
    tools = {name for name in packages if name.lower() in BESIDE}
    size = sum(path.lstat().st_blocks for path in (folder / "env").rglob("*") if not path.is_symlink()) * 512 / 2**20
    site = next((folder / "env" / "lib").glob("python*/site-packages"))
    own = sum(p.lstat().st_blocks for name in ("pip", "setuptools", "pkg_resources") for p in (site / name).rglob("*"))
    found = {"seconds": seconds, "megabytes": size, "packages": len(packages)}
    say(
        f"  {seconds:.0f} s, {size:.0f} MB ({own * 512 / 2**20:.0f} of them {' and '.join(sorted(tools))}), "
        f"{len(packages)} packages"
    )
    for name, most in CORE.items():
        if found[name] > most:
            say(f"  note: {name} over {most}")
