"""`make release-check`: is what is committed fit to be uploaded? Everything happens in a fresh clone, in a temporary folder.

    packages      sdist, the wheel made from the sdist, their contents and metadata; the same of the sweeper
    environments  for every Python that is here, with the lowest and the newest dependencies: the wheel alone, in another
                  directory, runs experiments, reports them, and tunes a program of the user's own
    core          how long a new environment takes, how large it is, of how many packages it consists
    site          both builders, strictly; five pages under axe; nothing is fetched from elsewhere

At the end it prints what somebody with the right to upload types.
"""

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from release import environments
from release.packages import build, check_contents
from release.running import Failed, run, say

ROOT = Path(__file__).parents[1]
BUILDERS = {
    "zensical": (["zensical>=0.0.50"], ["zensical", "build", "--clean", "--strict"]),
    "properdocs": (["properdocs>=1.6", "mkdocs-material>=9.7"], ["properdocs", "build", "--strict"]),
}
"""Of the site: what is installed beside mkdocstrings, and the command."""


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
        wheels = [package for package in packages if package.suffix == ".whl"]
        version = wheel.name.split("-")[1]
        if "environments" in parts:
            here = environments.interpreters()
            for number in environments.PYTHONS:
                if number not in here:
                    say(
                        f"Python {number}: not here; `uv python install {number}` brings it where that can be downloaded"
                    )
                    continue
                for resolution in environments.RESOLUTIONS:
                    say(f"Python {number}, {resolution}")
                    environments.check_environment(
                        here[number], wheels, folder / f"{number}-{resolution}", tools, resolution
                    )
        if "core" in parts:
            say("core")
            environments.measure_core(wheel, folder / "core")
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
