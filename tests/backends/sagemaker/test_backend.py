"""Trials as jobs of a SageMaker that really runs them: tests/support/fake_sagemaker.py, our reading of the service."""

import pytest

import hpo
from hpo.aws import client as aws_client
from hpo.backends.choice import open_backend
from hpo.config.reading import resolve
from hpo.store.directory import ExperimentDirectory
from tests.backends.test_backends import SCRIPT
from tests.launchers.sagemaker.test_launcher import fake, needs_service, service  # noqa: F401  fixtures
from tests.support.backend_contract import BackendContract

pytestmark = [*needs_service, pytest.mark.process]

TARGET = "hpo.backends.sagemaker.SageMakerBackend"


def config_of(folder, script=SCRIPT, *, backend=(), arguments=(), **keys):
    """An experiment of a script whose trials are jobs of the fake."""
    (folder / "code").mkdir(exist_ok=True)
    (folder / "code" / "train.py").write_text(script)
    benchmark = {
        "name": "b",
        "script": str(folder / "code" / "train.py"),
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
        "arguments": {"epochs": 9, **dict(arguments)},
        "num_gpus_per_trial": 0,
        "instance_type": "ml.c5.xlarge",
    }
    spec = {
        "name": "sagemaker",
        "_target_": TARGET,
        "bucket": "bucket",
        "role": "arn:aws:iam::123456789012:role/hpo",
        "poll_seconds": 0.2,
        "sync_seconds": 0.5,
        "probe_seconds": 60,
        "silence_seconds": 3,
        "quota_wait": 0.3,
        **dict(backend),
    }
    keys = {"random_seed": 1, "grace_period_seconds": 5.0, "experiment_tag": "t", **keys}
    return resolve(hpo.load_config(benchmark, "RS", backend=spec, **keys))


@pytest.fixture
def aws(fake, monkeypatch):  # noqa: F811
    """The fake as this process's AWS."""
    for name, value in fake.environment.items():
        monkeypatch.setenv(name, value)
    aws_client.client.cache_clear()
    aws_client._checked.clear()
    yield fake
    aws_client.client.cache_clear()


class TestSageMaker(BackendContract):
    @pytest.fixture
    def backend(self, aws, tmp_path):
        made = open_backend(config_of(tmp_path), ExperimentDirectory(tmp_path / "experiment"))
        yield made
        made.kill()
        made.close()

    @pytest.fixture
    def configuration(self):
        return {"x": 0.5}
