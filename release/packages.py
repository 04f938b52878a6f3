"""An sdist, the wheel made from it, and what they have to hold."""

import re
import tarfile
import zipfile
from pathlib import Path

from release.running import Failed, run, say

LARGEST_WHEEL = 2.0e6
"""Bytes."""


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
    expected |= {f"hpo/{name}" for name in tracked(clone, "docs") if re.fullmatch(r"docs/[\w-]+\.md", name)}
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
