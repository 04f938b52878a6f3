"""A real browser, and a place for the experiments whose reports are looked at."""

import pytest

from tests.conftest import Workplace
from tests.support.browser import browser, install


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    if reason := install():
        pytest.skip(reason)
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Workplace(tmp_path_factory.mktemp("place"))
