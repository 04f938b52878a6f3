"""Tests that need libraries which the suite does without: `make test-extras` runs them, and there none is skipped."""

import importlib
import os
import warnings

import pytest

WITH_EXTRAS = os.environ.get("HPO_TEST_EXTRAS") == "1"


def only_with_extras(what):
    """Skip the test, or the module, elsewhere."""
    if not WITH_EXTRAS:
        pytest.skip(f"needs {what}: run by make test-extras", allow_module_level=True)


def extra(name):
    """A library, for a test or a module that is skipped elsewhere."""
    only_with_extras(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)
