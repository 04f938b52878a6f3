"""The SageMaker of the tests, for the programs that are about its faults."""

from tests.sagemaker.conftest import fake, place, service  # noqa: F401  fixtures
