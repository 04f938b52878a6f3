"""The SageMaker of the tests, for the programs that are about its faults; all programs here start processes or take long."""

from pathlib import Path

import pytest

from tests.launchers.sagemaker.test_launcher import fake, place, service  # noqa: F401  fixtures


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.process)
