"""What `make release-check` looks at, as far as it can be told in moments."""

import subprocess
import tarfile
import tomllib
import zipfile

import pytest
import yaml

import hpo
from release.environments import PYTHONS
from release.packages import check_contents
from release.running import Failed
from tests.support.pages import ROOT


def test_the_readme_has_at_most_a_hundred_lines():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 100


def test_versions_of_python_are_the_same_wherever_they_are_named():
    for place in (ROOT, ROOT / "sweeper"):
        project = tomllib.loads((place / "pyproject.toml").read_text())["project"]
        named = [line.rpartition(" ")[2] for line in project["classifiers"] if "Python :: 3." in line]
        assert tuple(named) == PYTHONS
        assert project["requires-python"] == f">={PYTHONS[0]}"
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    versions = workflow["jobs"]["build"]["steps"][1]["with"]["python-version"]
    assert sorted(versions.split()) == list(PYTHONS)


def test_the_version_is_written_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"]
    assert f'__version__ = "{hpo.__version__}"' in (ROOT / project["tool"]["hatch"]["version"]["path"]).read_text()


@pytest.fixture
def packages(tmp_path):
    """A function that makes a repository, its sdist and its wheel, with some of the wheel's files left out or added."""

    def make(*, without=(), more=(), description="text"):
        clone = tmp_path / "clone"
        files = {"hpo/a.py", "conf/method/M.yaml", "training_scripts/t/train.py", "tables/t.npz", "README.md"}
        files |= {"docs/page.md", "docs/images/shown.md"}
        for name in files:
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_text(name)
        for words in (["init", "--quiet"], ["add", "."]):
            subprocess.run(["git", *words], cwd=clone, check=True)
        held = {"hpo/a.py", "hpo/conf/method/M.yaml", "hpo/training_scripts/t/train.py", "hpo/tables/data/t.npz"}
        held |= {"hpo/docs/page.md"}
        wheel, sdist = tmp_path / "hydra_hpo-1-py3-none-any.whl", tmp_path / "hydra_hpo-1.tar.gz"
        with zipfile.ZipFile(wheel, "w") as archive:
            for name in sorted(held - set(without)) + list(more):
                archive.writestr(name, name)
            archive.writestr("hydra_hpo-1.dist-info/METADATA", description)
        with tarfile.open(sdist, "w:gz") as archive:
            for name in files:
                archive.add(clone / name, f"hydra_hpo-1/{name}")
        return clone, sdist, wheel

    return make


@pytest.mark.process
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"without": ["hpo/conf/method/M.yaml"]}, r"lacks \['hpo/conf/method/M.yaml'\]"),
        ({"more": ["tests/x.py"]}, r"has besides \['tests/x.py'\]"),
        ({"description": "[a page](docs/x.md)"}, "links that lead nowhere"),
    ],
)
def test_packages_that_are_not_what_the_repository_has_are_refused(packages, changes, said):
    check_contents(*packages())
    with pytest.raises(Failed, match=said):
        check_contents(*packages(**changes))
