"""`launcher=sagemaker launcher.instance_count=2 backend=ray`: a Ray cluster in a job, on a SageMaker of this machine."""

import json
import re
import time
from pathlib import Path

import pytest

from hpo.config.reading import load_config, resolve
from hpo.errors import ConfigError
from hpo.events.types import Kind
from hpo.results.experiment import load_experiment
from hpo.sagemaker.instances import Instances
from hpo.sagemaker.launcher import SageMakerLauncher
from tests.conftest import succeeded
from tests.support.fake_sagemaker import can_run
from tests.support.ray_cluster import why_not

SCRIPT = """
import json, os, time, hpo
from helper import where
arguments = hpo.arguments(x=0.5, epochs=9, seconds=0.1)
place = os.path.join(os.environ["HPO_CHECKPOINT_DIR"], "epoch")
first = int(open(place).read()) + 1 if os.path.exists(place) else 1
print("from", first, "on", where())
for epoch in range(first, arguments.epochs + 1):
    time.sleep(arguments.seconds)
    with open(place + ".tmp", "w") as file:
        file.write(str(epoch))
    os.replace(place + ".tmp", place)
    hpo.report(epoch=epoch, loss=(arguments.x - 0.3) ** 2 + 1 / epoch)
"""
HELPER = """
import json
def where():
    return json.load(open("/opt/ml/input/config/resourceconfig.json"))["current_host"]
"""


def test_instances_are_as_the_service_tells_and_the_first_leads(tmp_path):
    hosts = [f"algo-{number}" for number in range(12, 0, -1)]
    path = tmp_path / "resourceconfig.json"
    path.write_text(json.dumps({"current_host": "algo-2", "hosts": hosts}))
    found = Instances.read(path)
    assert [*found.hosts] == hosts[::-1]
    assert not found.leads
    path.write_text(json.dumps({"current_host": "algo-1", "hosts": hosts}))
    assert Instances.read(path).leads


def job_of(backend, **keys):
    options = {"n_workers": 8, "num_gpus_per_trial": 1, "backend": backend}
    given = load_config("mlp_digits", "RS", experiment_tag="t", random_seed=1, **options)
    keys = {"bucket": "bucket", "role": "arn:aws:iam::123456789012:role/x", "region": "us-west-2", **keys}
    launcher = SageMakerLauncher(instance_type="ml.g5.12xlarge", **keys)
    experiment = resolve(given)
    return (
        launcher.request(experiment, Path("x")),
        launcher.describe(experiment, Path("x")),
        launcher._job_of(experiment),
    )


def test_several_instances_keep_checkpoints_in_the_bucket_and_one_does_not():
    request, described, job = job_of({"name": "ray"}, instance_count=3, kms_key="alias/mine")
    assert request["ResourceConfig"]["InstanceCount"] == 3
    assert (described.gpus, described.machines, described.machine) == (12, 3, "3 x ml.g5.12xlarge")
    assert job.config.backend["storage"] == "s3://bucket/hpo"
    assert request["Environment"]["AWS_SSE_KMS_KEY_ID"] == "alias/mine"
    assert any(line.startswith(b"ray") for line in job.bundle.files[".requirements.txt"].splitlines())
    _, _, given = job_of({"name": "ray", "storage": "s3://other/folder"}, instance_count=2)
    assert given.config.backend["storage"] == "s3://other/folder"
    request, described, job = job_of({"name": "ray"})
    assert request["ResourceConfig"]["InstanceCount"] == 1
    assert described.machine == "ml.g5.12xlarge"
    assert not job.config.backend.get("storage")


@pytest.mark.parametrize(
    ("backend", "count", "words"),
    [
        (
            {"name": "auto"},
            2,
            "launcher.instance_count=2: only backend=ray has trials on more than one machine; add back",
        ),
        (
            {"name": "ray", "address": "h:1"},
            2,
            "launcher.instance_count=2, backend.address=h:1: .* leave one of the two",
        ),
        ({"name": "ray"}, 0, "launcher.instance_count=0: use a number from 1 to 1000"),
        ({"name": "ray"}, 1.5, "launcher.instance_count=1.5: use a positive whole number"),
    ],
)
def test_instances_that_cannot_be_meant_are_one_sentence(backend, count, words):
    with pytest.raises(ConfigError, match=words):
        job_of(backend, instance_count=count)


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.xdist_group("ray")
@pytest.mark.skipif(not can_run(), reason="this user may not make the namespaces that instances are")
def test_an_experiment_is_on_both_instances_of_its_job_and_goes_on_in_another_one(place, fake):
    if reason := why_not():
        pytest.skip(reason)
    place.write("train.py", SCRIPT)
    place.write("helper.py", HELPER)
    place.benchmark(
        script="train.py",
        instance_type="ml.c5.4xlarge",
        n_workers=4,
        max_num_trials=6,
        arguments={"epochs": 40, "seconds": 0.25},
    )
    command = [
        "benchmark=mine",
        "method=RS",
        "experiment_tag=t",
        "random_seed=7",
        "grace_period_seconds=5",
        "backend=ray",
    ]
    keys = {"instance_count": 2, "wait": "false"}
    succeeded(place.hpo(*command, *fake.overrides(**keys)))
    (first,) = fake.jobs()
    deadline = time.monotonic() + 120

    def reports():
        found = fake.objects("hpo/t/RS-0/mine/trials/")
        return sum(content.count(b"\n") for name, content in found.items() if name.endswith("reports.jsonl"))

    while reports() < 20:
        assert time.monotonic() < deadline, fake.jobs()
        time.sleep(0.5)
    succeeded(place.verb("stop", "t"))
    assert fake.wait() == {first: "Stopped"}
    succeeded(place.hpo(*command, *fake.overrides(**keys)))
    assert set(fake.wait(count=2).values()) == {"Stopped", "Completed"}, fake.log(f"{first}-r1")
    succeeded(place.verb("sync", "t"))
    experiment = load_experiment(place.directory("t"))
    assert experiment.metadata["status"] == "complete"
    reported = [(event.trial, event.resource) for event in experiment.events if event.kind == Kind.REPORTED]
    assert sorted(reported) == [(trial, epoch) for trial in range(6) for epoch in range(1, 41)]
    said = [path.read_text() for path in place.directory("t").glob("trials/*/attempt_*/stdout.log")]
    assert {host for text in said for host in re.findall(r"on (algo-\d)", text)} == {"algo-1", "algo-2"}
    assert any(int(number) > 1 for text in said for number in re.findall(r"from (\d+)", text)), "checkpoints travel"
    assert succeeded(place.verb("replay", "t")).endswith(" 0 different\n")
    nodes = {event.body["node"] for event in experiment.events if "node" in event.body}
    assert nodes
