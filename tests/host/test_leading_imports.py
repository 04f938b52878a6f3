"""What a script imports before anything else: installed packages only, in order, from its source."""

import pytest

from hpo.host.leading_imports import leading_imports


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Reads the imports of a text, in a place where a few packages are installed and one is the user's."""
    site = tmp_path / "somewhere" / "site-packages"
    for package in ("alpha", "alpha/sub", "beta", "gamma"):
        (site / package).mkdir(parents=True)
        (site / package / "__init__.py").touch()
    editable = tmp_path / "project" / "src"
    (editable / "edited").mkdir(parents=True)
    (editable / "edited" / "__init__.py").touch()
    work = tmp_path / "work"
    work.mkdir()
    (work / "mine.py").write_text("import os, alpha\nprint('by no means imported')")
    (work / "settings.py").write_text("import os\nos.environ['A'] = '1'")
    (work / "package").mkdir()
    (work / "package" / "__init__.py").touch()
    (work / "package" / "paths.py").write_text("import sys\nsys.path.insert(0, 'vendored')")
    (work / "gamma.py").touch()
    for place in (site, editable):
        monkeypatch.syspath_prepend(str(place))

    def read(text):
        script = work / "train.py"
        script.write_text(text)
        return leading_imports(str(script))

    return read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import alpha", ["alpha"]),
        ("import alpha, beta as b", ["alpha", "beta"]),
        ("import alpha.sub", ["alpha.sub"]),
        ("import beta\nimport alpha\nimport beta", ["beta", "alpha"]),
        ("from alpha import sub, One as Two", ["alpha:sub,One"]),
        ("from alpha.sub import *", ["alpha.sub:*"]),
        ("#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n'''Doc.'''\n\nimport alpha", ["alpha"]),
        ("'''Doc.'''\nfrom __future__ import annotations\nimport os, sys\nimport alpha", ["alpha"]),
        ("import hpo\nfrom hpo import checkpoint\nimport alpha", ["alpha"]),
        ("from hpo.integrations.keras import resume\nimport alpha", ["hpo.integrations.keras", "alpha"]),
        ("import alpha\nx = 1\nimport beta", ["alpha"]),
        ("import os\nos.environ['A'] = '1'\nimport alpha", []),
        ("'''Doc.'''\n'''Another.'''\nimport alpha", []),
        ("import alpha\nif __name__ == '__main__':\n    import beta", ["alpha"]),
        ("import alpha\ntry:\n    import beta\nexcept ImportError:\n    beta = None\nimport alpha.sub", ["alpha"]),
        ("def f():\n    import alpha\nimport beta", []),
        ("import alpha; import beta", ["alpha", "beta"]),
        ("import alpha\nfrom . import beta\nimport beta", ["alpha"]),
        ("import alpha\nimport not_there_at_all\nimport beta", ["alpha"]),
        ("import mine\nimport alpha", ["alpha"]),
        ("import gamma\nimport edited\nimport alpha", ["alpha"]),
        ("import beta\nimport settings\nimport alpha", ["beta"]),
        ("from package import train\nimport alpha", ["alpha"]),
        ("from package import paths\nimport alpha", []),
        ("import package.paths\nimport alpha", []),
        ("import alpha\nprint('a'", []),
        ("\0", []),
        ("", []),
    ],
)
def test_the_installed_packages_that_come_before_anything_else(read, text, expected):
    assert read(text) == expected


def test_a_script_in_another_encoding_is_read_as_python_does(read, tmp_path):
    script = tmp_path / "work" / "latin.py"
    script.write_bytes("# -*- coding: latin-1 -*-\n'''é'''\nimport alpha".encode("latin-1"))
    assert leading_imports(str(script)) == ["alpha"]


def test_a_script_that_is_not_there_imports_nothing(tmp_path):
    assert leading_imports(str(tmp_path / "none.py")) == []
