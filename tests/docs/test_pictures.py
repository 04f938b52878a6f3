"""Pictures of the documentation that are made from its tables."""

import runpy

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
