"""The SageMaker of the tests, for the programs that are about its faults."""

from tests.test_sagemaker_run import fake, place, service  # noqa: F401  fixtures
