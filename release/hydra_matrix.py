"""`make test-hydra`: the tests of configuration, command line and sweeper with the next version of Hydra and OmegaConf.

    same    this Python: a new environment has Hydra and OmegaConf alone, the rest is the development environment's
    newest  the newest other Python that is here: a new environment with everything that these tests need

`make test` has the column of the version that is installed. Environments are kept in build/hydra, and made again if
pyproject.toml is changed.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from release import environments
from release.running import Failed, run, say

ROOT = Path(__file__).parents[1]
TESTS = ("tests/config", "tests/cli", "sweeper/tests", "tests/docs/test_conf.py", "tests/space")
NEEDED = (
    *("pytest>=8,<9.2", "pytest-xdist>=3.5", "pytest-timeout>=2.3", "hypothesis>=6.100", "psutil>=5.9"),
    *("starlette>=0.40", "uvicorn>=0.30", "tomli-w>=1", "scikit-learn>=1.3"),
)
"""What those tests import besides the package."""
_BOTORCH = "tests/docs/test_conf.py::test_every_method_can_be_assembled_and_starts_a_trial[BOTORCH]"
"""Needs torch, which takes minutes to install."""


def newest_python() -> str | None:
    """Return the newest Python here that is not this one; None if there is none."""
    here = environments.interpreters()
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    others = [version for version in environments.PYTHONS if version in here and version != own]
    return here[others[-1]] if others else None


def make_environment(folder: Path, python: str, *, borrow: bool) -> None:
    """Make an environment with the next Hydra, unless it is there already.

    Args:
        folder: Its place.
        python: The interpreter.
        borrow: Whether everything else comes from the environment of this interpreter.
    """
    stamp = folder / "made-for.txt"
    made_for = "\n".join([*environments.HYDRA, *NEEDED, (ROOT / "pyproject.toml").read_text()])
    if stamp.is_file() and stamp.read_text() == made_for:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    run(python, "-m", "venv", folder, cwd=ROOT)
    site = next((folder / "lib").glob("python*/site-packages"))
    if borrow:
        run("pip", "install", "--quiet", *environments.HYDRA, cwd=ROOT, path=folder)
        rest = [path for path in sys.path if "site-packages" in path]
        (site / "rest.pth").write_text("\n".join([str(ROOT), str(ROOT / "sweeper"), *rest]) + "\n")
    else:
        editable = ["--editable", ROOT, "--editable", ROOT / "sweeper"]
        run("pip", "install", "--quiet", *environments.HYDRA, *NEEDED, *editable, cwd=ROOT, path=folder)
    # Shells in the tests complete the program beside the interpreter.
    program = folder / "bin" / "hpo"
    program.write_text(f"#!{folder}/bin/python\nfrom hpo.__main__ import main\n\nmain()\n")
    program.chmod(0o755)
    stamp.write_text(made_for)


def test(folder: Path, options: Sequence[str]) -> None:
    """Run the tests in an environment.

    Raises:
        Failed: A test fails, or another Hydra is imported than the environment's.
    """
    python = str(folder / "bin" / "python")
    told = "import hydra, omegaconf, sys; print(sys.version.split()[0], hydra.__version__, omegaconf.__version__)"
    versions = run(python, "-c", told, cwd=ROOT).split()
    say("Python {}, Hydra {}, OmegaConf {}".format(*versions))
    if not (versions[1].startswith("1.4") and versions[2].startswith("2.4")):
        raise Failed(f"{folder} does not have the next Hydra")
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *TESTS]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise Failed(f"tests fail with Hydra {versions[1]} on Python {versions[0]}")


def main(arguments: Sequence[str]) -> None:
    """Test the columns that are named, both unless any is."""
    parser = argparse.ArgumentParser(prog="python -m release.hydra_matrix", description=__doc__.splitlines()[0])
    parser.add_argument("columns", nargs="*", help="same, newest; both unless given")
    parser.add_argument("--workers", default="2", help="processes of pytest")
    parser.add_argument("--all", action="store_true", help="tests that start processes or compute for seconds too")
    known = parser.parse_args(arguments)
    options = ["-n", known.workers, "--dist", "loadgroup", *(["-m", "not slow"] if known.all else ["--quick"])]
    for column in known.columns or ["same", "newest"]:
        python = sys.executable if column == "same" else newest_python()
        if python is None:
            say("newest: no other Python is here")
            continue
        folder = ROOT / "build" / "hydra" / column
        make_environment(folder, python, borrow=column == "same")
        test(folder, options if column == "same" else [*options, "--deselect", _BOTORCH])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Failed as error:
        sys.exit(str(error))
