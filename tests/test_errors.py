"""Errors of users are one family, and none of them is anything else."""

import pytest

import hpo
from hpo.errors import BackendError, ConfigError, ExperimentError, HPOError, StoreError


@pytest.mark.parametrize("kind", [ConfigError, StoreError, BackendError, ExperimentError])
def test_every_error_of_a_user_is_an_hpo_error(kind):
    assert issubclass(kind, HPOError)
    assert str(kind("n_workers=0: use a positive number")) == "n_workers=0: use a positive number"


def test_the_base_is_a_public_name():
    assert hpo.HPOError is HPOError


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = hpo.no_such_name


def test_every_public_name_is_there():
    for name in hpo.__all__:
        assert getattr(hpo, name) is not None
    assert set(hpo.__all__) <= set(dir(hpo))
