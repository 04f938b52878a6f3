"""Pictures of the documentation are those that their scripts make."""

import re
import runpy

import pytest

from tests.support.pages import ROOT

IMAGES = ROOT / "docs" / "images"


def test_the_picture_of_all_methods_is_the_one_that_its_table_gives():
    made = runpy.run_path(str(IMAGES / "make_methods.py"))
    table = made["read_table"]((ROOT / "docs" / "methods-measured.md").read_text())
    assert len(table) == 23
    assert table["ASHA"][0] == (0.092, 0.069, 0.113)  # as the page says
    drawn = made["draw"](table)
    assert [label.get_text() for label in drawn.axes[0].get_yticklabels()][
        -1
    ] == "ASHA-GP"  # the best with four workers
    picture = (IMAGES / "methods.svg").read_text()
    assert all(f">{name}<" in picture for name in table)


def texts(picture):
    """What is written in a picture, and how many shapes it has; the width of letters is the machine's."""
    return re.findall(r"<text[^>]*>([^<]*)<", picture), len(re.findall(r"<(?:path|use|rect)\b", picture))


@pytest.mark.long
def test_figures_of_simulated_experiments_come_out_again(tmp_path):
    for name, picture in runpy.run_path(str(IMAGES / "make_figures.py"))["draw"](tmp_path).items():
        assert texts(picture) == texts((IMAGES / name).read_text()), name


def test_the_figure_of_rungs_shows_what_the_rungs_of_its_experiment_are():
    written, _ = texts((IMAGES / "rungs.svg").read_text())
    assert {"epoch 1", "epoch 3", "epoch 9", "epoch 27"} <= set(written)  # 27 epochs, reduction factor 3


@pytest.mark.parametrize("name", ["local", "slurm", "ray", "sagemaker"])
def test_a_topology_comes_out_again(name):
    made = runpy.run_path(str(IMAGES / "make_topology.py"))
    assert set(made["TOPOLOGIES"]) == {path.stem.removeprefix("topology-") for path in IMAGES.glob("topology-*.svg")}
    assert made["draw"](name) == (IMAGES / f"topology-{name}.svg").read_text()


@pytest.mark.parametrize("path", sorted(IMAGES.glob("*.svg")), ids=lambda path: path.stem)
def test_a_drawn_picture_is_small_and_fits_dark_pages(path):
    picture = path.read_text()
    assert len(picture) < (80_000 if path.stem == "methods" else 30_000)
    assert "prefers-color-scheme: dark" in picture or path.stem == "live"  # which is a dark terminal


def test_every_picture_is_on_a_page():
    pages = "".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    pictures = {path.name for path in IMAGES.iterdir() if path.suffix in (".svg", ".png")}
    assert {name for name in pictures if f"images/{name}" not in pages} == set()
