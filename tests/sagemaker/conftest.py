"""A SageMaker of this machine, and a user's folder."""

import pytest

from tests.conftest import Workplace
from tests.support.fake_sagemaker import Fake


@pytest.fixture(scope="session")
def service():
    """The service, for all tests that ask for it."""
    pytest.importorskip("moto")
    made = Fake()
    yield made
    made.close()


@pytest.fixture
def fake(service):
    """The service, empty."""
    service.control("reset")
    return service


@pytest.fixture
def place(fake, tmp_path):
    """A user's folder with the benchmark `mine`, and AWS's environment set for the fake."""
    made = Workplace(tmp_path, dict(fake.environment))
    made.benchmark(instance_type="ml.c5.4xlarge")
    return made
