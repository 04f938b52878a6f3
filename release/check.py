"""`make release-check`: is what is committed fit to be uploaded? Everything happens in a fresh clone, in a temporary folder.

    packages      sdist, the wheel made from the sdist, their contents and metadata; the same of the sweeper
    environments  for every Python that is here, with the lowest and the newest dependencies: the wheel alone, in another
                  directory, runs experiments, reports them, and tunes a program of the user's own
    core          how long a new environment takes, how large it is, of how many packages it consists
    site          both builders, strictly; five pages under axe; nothing is fetched from elsewhere

At the end it prints what somebody with the right to upload types.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LARGEST_WHEEL = 1.5e6
"""Bytes."""
CORE = {"seconds": 20, "megabytes": 340, "packages": 24}
"""What a new environment with hpo alone may take."""
BESIDE = {"pip", "setuptools"}
"""Packages of any new environment."""
BUILDERS = {
    "zensical": (["zensical>=0.0.50"], ["zensical", "build", "--clean", "--strict"]),
    "properdocs": (["properdocs>=1.6", "mkdocs-material>=9.7"], ["properdocs", "build", "--strict"]),
}
"""Of the site: what is installed beside mkdocstrings, and the command."""
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


class Failed(Exception):
    """Something is not fit for a release."""


def run(*command: str | Path, cwd: Path, path: Path | None = None) -> str:
    """Run a program to its end, with the programs of an environment first. Returns what it printed.

    Raises:
        Failed: it failed.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    if path is not None:
        env["PATH"] = f"{path / 'bin'}{os.pathsep}{env['PATH']}"
        env["VIRTUAL_ENV"] = str(path)
    program = shutil.which(str(command[0]), path=env["PATH"]) or str(command[0])
    done = subprocess.run(
        [program, *map(str, command[1:])], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout + done.stderr


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, flush=True)


# ---------------------------------------------------------------------- packages


def build(source: Path, target: Path, tools: Path) -> tuple[Path, Path]:
    """An sdist, and the wheel that is made from it."""
    target.mkdir()
    run("python", "-m", "build", "--outdir", target, source, cwd=target, path=tools)
    (sdist,), (wheel,) = target.glob("*.tar.gz"), target.glob("*.whl")
    run("twine", "check", "--strict", sdist, wheel, cwd=target, path=tools)
    return sdist, wheel


def tracked(clone: Path, *places: str) -> set[str]:
    """Files of the repository, as git names them."""
    return set(run("git", "ls-files", *places, cwd=clone).split("\n")) - {""}


def check_contents(clone: Path, sdist: Path, wheel: Path) -> None:
    """Every tracked file of the package is in the wheel, at its place, and nothing else; and the tree is in the sdist."""
    expected = {*tracked(clone, "hpo")}
    for folder, home in (
        ("conf", "hpo/conf"),
        ("training_scripts", "hpo/training_scripts"),
        ("tables", "hpo/tables/data"),
    ):
        expected |= {home + name.removeprefix(folder) for name in tracked(clone, folder)}
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = archive.read(next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))).decode()
    if found != expected:
        raise Failed(f"{wheel.name}: lacks {sorted(expected - found)[:9]}, has besides {sorted(found - expected)[:9]}")
    if wheel.stat().st_size > LARGEST_WHEEL:
        raise Failed(f"{wheel.name}: {wheel.stat().st_size / 1e6:.2f} MB")
    if links := re.findall(r"\]\((?!https?:)[^)]*\)", metadata):
        raise Failed(f"{wheel.name}: its description has links that lead nowhere: {links}")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {name for name in tracked(clone) if not name.startswith((".ci/", ".github/", "outputs/", ".git"))}
    if missing := sorted(wanted - names):
        raise Failed(f"{sdist.name}: lacks {missing[:9]}")
    sizes = [f"{path.name} {path.stat().st_size / 1e6:.2f} MB" for path in (wheel, sdist)]
    say(f"  {', '.join(sizes)}; {len(found)} files in the wheel")


# ---------------------------------------------------------------------- environments


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


def check_environment(python: str, wheel: Path, folder: Path, tools: Path, resolution: str) -> None:
    """The wheel alone, in a new environment and in another directory."""
    folder.mkdir()
    env, place = folder / "env", folder / "place"
    run("uv", "venv", "--quiet", "--python", python, env, cwd=folder, path=tools)
    run("uv", "pip", "install", "--quiet", "--python", env, "--resolution", resolution, wheel, cwd=folder, path=tools)
    (place / "conf" / "benchmark").mkdir(parents=True)
    (place / "train.py").write_text(SCRIPT)
    (place / "conf" / "benchmark" / "own.yaml").write_text(BENCHMARK)
    for command in COMMANDS:
        run(*command.split(), cwd=place, path=env)
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


# ---------------------------------------------------------------------- site


def check_site(clone: Path, folder: Path, tools: Path) -> None:
    """Both builders, strictly; five pages in a browser."""
    env = folder / "env"
    folder.mkdir()
    run("uv", "venv", "--quiet", "--python", sys.executable, env, cwd=folder, path=tools)
    needed = [name for packages, _ in BUILDERS.values() for name in packages]
    more = [f"{clone}[site]", *needed, "axe-playwright-python"]
    run("uv", "pip", "install", "--quiet", "--python", env, *more, cwd=folder, path=tools)
    run("python", "-m", "release.pages", cwd=clone, path=env)
    for name, (_, command) in BUILDERS.items():
        shutil.rmtree(clone / "build" / "site", ignore_errors=True)
        printed = run(*command, cwd=clone, path=env)
        if re.search(r"\bWARN", printed):
            raise Failed(f"{name} warns:\n{printed}")
        pages = len(list((clone / "build" / "site").rglob("*.html")))
        shutil.copytree(clone / "build" / "site", folder / name)
        say(f"  {name}: {pages} pages without a warning")
    say("  " + run("python", "-m", "release.accessible", folder / "zensical", cwd=clone, path=env).strip())


# ---------------------------------------------------------------------- all


def upload_text(version: str) -> str:
    """What somebody with the right to upload types."""
    return f"""
Fit for a release. With the right to push and to upload:

  once, on the index: add a pending trusted publisher for hydra-hpo and hydra-hpo-sweeper (workflow release.yml,
  environment pypi; the same on the test index, environment testpypi), and protect both
  environments in the repository's settings
  once, in pyproject.toml: [project.urls] with the addresses of source, documentation, changelog and issues

  git tag --sign v{version} --message 'hpo {version}'
  git push origin v{version}        # release.yml builds, tries on the test index, and waits for your approval
  without the workflow: twine upload dist/*
"""


def main(arguments: Sequence[str]) -> None:
    """Check everything, or what is named."""
    parser = argparse.ArgumentParser(prog="python -m release.check", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help="packages, environments, core, site; all unless given")
    parser.add_argument("--output", type=Path, help="a folder for the packages that were checked")
    known = parser.parse_args(arguments)
    parts = known.parts or ["packages", "environments", "core", "site"]
    with tempfile.TemporaryDirectory(prefix="hpo-release-") as temporary:
        folder = Path(temporary)
        clone, tools = folder / "clone", folder / "tools"
        run("git", "clone", "--quiet", "--no-hardlinks", ROOT, clone, cwd=folder)
        run(sys.executable, "-m", "venv", tools, cwd=folder)
        run("pip", "install", "--quiet", "uv", "build", "twine", cwd=folder, path=tools)
        say("packages")
        sdist, wheel = build(clone, folder / "dist", tools)
        check_contents(clone, sdist, wheel)
        packages = [sdist, wheel, *build(clone / "sweeper", folder / "dist-sweeper", tools)]
        version = wheel.name.split("-")[1]
        if "environments" in parts:
            here = interpreters()
            for number in PYTHONS:
                if number not in here:
                    say(
                        f"Python {number}: not here; `uv python install {number}` brings it where that can be downloaded"
                    )
                    continue
                for resolution in ("highest", "lowest-direct"):
                    say(f"Python {number}, {resolution}")
                    check_environment(here[number], wheel, folder / f"{number}-{resolution}", tools, resolution)
        if "core" in parts:
            say("core")
            measure_core(wheel, folder / "core")
        if "site" in parts:
            say("site")
            check_site(clone, folder / "site", tools)
        if known.output is not None:
            known.output.mkdir(parents=True)
            for package in packages:
                shutil.copy(package, known.output)
        say(upload_text(version))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Failed as error:
        sys.exit(f"not fit for a release: {error}")
