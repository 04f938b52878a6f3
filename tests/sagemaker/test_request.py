"""The request for a SageMaker job: what is in it, that it is always the same, and that the service would take it."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.config.reading import load_config, resolve
from hpo.config.schema import ExperimentConfig
from hpo.config.validation import LONGEST_NAME
from hpo.errors import ConfigError
from hpo.sagemaker.images import PYTHON_OF, gpus_of, image_uri
from hpo.sagemaker.launcher import SageMakerLauncher, phase_of
from hpo.sagemaker.names import identity, job_name, part, results_prefix
from hpo.sagemaker.settings import SageMakerSettings
from tests.conftest import error_of, succeeded
from tests.support.extras import extra
from tests.support.fake_sagemaker import request_violations

ROLE = "arn:aws:iam::123456789012:role/service-role/hpo"
GIVEN = {"bucket": "my-bucket", "role": ROLE, "region": "us-west-2"}


@pytest.fixture(autouse=True)
def no_aws(monkeypatch):
    """Nothing of the machine's AWS configuration reaches the launcher."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")


def experiment(benchmark="resnet_cifar10", method="RS", **keys) -> ExperimentConfig:
    keys = {"seed": 0, "experiment_tag": "tutorial-local", "random_seed": 7, **keys}
    return resolve(load_config(benchmark, method, **keys))


def request(given=None, **keys):
    return SageMakerLauncher(**{**GIVEN, **(given or {})}).request(experiment(**keys), None)


def test_a_request_is_what_the_console_would_show():
    made = request({"tags": {"team": "vision"}}, use_long_tuner_name_prefix=False)
    name = made["TrainingJobName"]
    assert re.fullmatch(r"tutorial-local-RS-0-[A-Za-z0-9]{4}", name)
    made["AlgorithmSpecification"]["MetricDefinitions"] = [
        definition["Name"] for definition in made["AlgorithmSpecification"]["MetricDefinitions"]
    ]
    text = re.sub(r"(_code|_experiments)/[0-9a-f]{32}/", r"\1/HASH/", json.dumps(made).replace(name, "NAME"))
    text = text.replace(identity(experiment(use_long_tuner_name_prefix=False)), "IDENTITY")

    def channel(name):
        uri = f"s3://my-bucket/hpo/_{'code' if name == 'code' else 'experiments'}/HASH/"
        source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
        return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}

    assert json.loads(text) == {
        "TrainingJobName": "NAME",
        "HyperParameters": {"hpo_experiment": "IDENTITY"},
        "AlgorithmSpecification": {
            "TrainingImage": "763104351884.dkr.ecr.us-west-2.amazonaws.com/pytorch-training:2.10.0-gpu-py313",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/bootstrap.py"],
            "ContainerArguments": ["hpo.sagemaker.job"],
            "EnableSageMakerMetricsTimeSeries": True,
            "MetricDefinitions": [
                "best_metric_value",
                "best_trial_id",
                "best_resource_value",
                "best_hp_batch_size",
                "best_hp_momentum",
                "best_hp_weight_decay",
                "best_hp_lr",
            ],
        },
        "RoleArn": ROLE,
        "InputDataConfig": [channel("code"), channel("experiment")],
        "OutputDataConfig": {"S3OutputPath": "s3://my-bucket/hpo/_output"},
        "ResourceConfig": {"InstanceType": "ml.g4dn.12xlarge", "InstanceCount": 1, "VolumeSizeInGB": 100},
        "StoppingCondition": {"MaxRuntimeInSeconds": 13860},
        "CheckpointConfig": {
            "S3Uri": "s3://my-bucket/hpo/tutorial-local/RS-0/resnet_cifar10/",
            "LocalPath": "/opt/ml/checkpoints",
        },
        "EnableManagedSpotTraining": False,
        "ProfilerConfig": {"DisableProfiler": True},
        "Tags": [
            {"Key": "hpo:tag", "Value": "tutorial-local"},
            {"Key": "hpo:benchmark", "Value": "resnet_cifar10"},
            {"Key": "hpo:method", "Value": "RS"},
            {"Key": "hpo:seed", "Value": "0"},
            {"Key": "team", "Value": "vision"},
        ],
        "RetryStrategy": {"MaximumRetryAttempts": 2},
    }
    assert request_violations(request()) == []


def test_every_key_finds_its_place():
    made = request(
        {
            "spot": True,
            "max_runtime": 7200,
            "max_wait": 9000,
            "subnets": ["subnet-1"],
            "security_groups": ["sg-1"],
            "kms_key": "alias/mine",
            "volume_kms_key": "abc-def",
            "volume_gb": 50,
            "retries": 0,
            "environment": {"NCCL_DEBUG": "INFO"},
            "instance_type": "ml.g6.12xlarge",
            "prefix": "team/hpo",
        }
    )
    assert made["EnableManagedSpotTraining"] is True
    assert made["StoppingCondition"] == {"MaxRuntimeInSeconds": 7200, "MaxWaitTimeInSeconds": 9000}
    assert made["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert made["OutputDataConfig"] == {"S3OutputPath": "s3://my-bucket/team/hpo/_output", "KmsKeyId": "alias/mine"}
    assert made["ResourceConfig"]["VolumeKmsKeyId"] == "abc-def"
    assert made["ResourceConfig"]["InstanceType"] == "ml.g6.12xlarge"
    assert made["ResourceConfig"]["VolumeSizeInGB"] == 50
    assert made["Environment"] == {"NCCL_DEBUG": "INFO"}
    assert "RetryStrategy" not in made
    assert made["CheckpointConfig"]["S3Uri"].startswith("s3://my-bucket/team/hpo/tutorial-local/")
    assert request({"keep_alive": 600})["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 600
    assert "MetricDefinitions" not in request(remote_tuning_metrics=False)["AlgorithmSpecification"]


def test_data_on_s3_becomes_a_channel():
    made = request(**{"benchmark.data": "s3://data/cifar/"})
    assert made["InputDataConfig"][2]["ChannelName"] == "data"
    assert made["InputDataConfig"][2]["DataSource"]["S3DataSource"]["S3Uri"] == "s3://data/cifar/"


# ---------------------------------------------------------------------- names


def test_a_second_call_is_the_same_job_and_another_experiment_another():
    first = request()
    assert request() == first
    assert request({"instance_type": "ml.g5.12xlarge"})["TrainingJobName"] == first["TrainingJobName"]
    others = [{"seed": 1}, {"experiment_tag": "u"}, {"random_seed": 8}, {"max_num_trials": 5}, {"method": "ASHA"}]
    names = {request(**other)["TrainingJobName"] for other in others}
    assert len(names | {first["TrainingJobName"]}) == 6


def test_the_benchmark_stands_in_front_where_that_is_wanted_and_fits():
    assert job_name(experiment()).startswith("resnet-cifar10-tutorial-local-RS-0-")
    assert job_name(experiment(use_long_tuner_name_prefix=False)).startswith("tutorial-local-RS-0-")
    assert job_name(experiment(experiment_tag="a" * 40)).startswith("a" * 40 + "-RS-0-")


TAGS = st.from_regex(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,80}", fullmatch=True).map(
    lambda tag: tag[:LONGEST_NAME].rstrip("-")  # a longer one is refused before any launcher sees it
)


@given(tag=TAGS, method=st.text(max_size=90), benchmark=st.text(max_size=90), seed=st.integers(0, 10**20 - 1))
@pytest.mark.long
def test_every_name_is_valid_and_keeps_seed_and_hash(tag, method, benchmark, seed):
    config = experiment(experiment_tag=tag, seed=seed)
    config = replace(config, method=replace(config.method, name=method))
    config = replace(config, benchmark=replace(config.benchmark, name=benchmark))
    for attempt in (0, 1, 98):
        name = job_name(config, attempt)
        assert len(name) <= 63
        assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name)
        assert re.search(rf"-{seed}-[a-zA-Z0-9]{{4}}{f'-r{attempt}' if attempt else ''}$", name)


def test_a_seed_too_long_for_a_name_is_one_sentence():
    with pytest.raises(ConfigError, match="seed="):
        job_name(experiment(seed=10**20))


def test_parts_of_keys_keep_what_is_safe_and_tell_the_rest_apart():
    assert part("mlp_digits") == "mlp_digits"
    assert len({part("a b"), part("a_b"), part("a/b"), part("a\nb"), part(".."), part(""), part("é")}) == 7
    assert all(re.fullmatch(r"[a-zA-Z0-9_.-]+", part(text)) for text in ("a b", "..", "", "x" * 500, "../../etc"))
    assert results_prefix(experiment(), "hpo") == "hpo/tutorial-local/RS-0/resnet_cifar10"


# ---------------------------------------------------------------------- limits

NAMES = st.text(min_size=1, max_size=300)
FLOAT = {"type": "float", "lower": 0.0, "upper": 1.0}


@settings(max_examples=50)
@given(
    tag=TAGS,
    method=st.text(max_size=300),
    benchmark=st.text(min_size=1, max_size=300),
    names=st.lists(NAMES, min_size=1, max_size=50, unique=True),
    seed=st.integers(0, 10**20 - 1),
    wallclock=st.none() | st.floats(1, 1e12),
    arguments=st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=5000), max_size=3),
    settings=st.fixed_dictionaries(
        {},
        optional={
            "spot": st.booleans(),
            "retries": st.integers(0, 30),
            "max_runtime": st.integers(60, 2419200),
            "max_wait": st.integers(60, 2419200),
            "volume_gb": st.integers(1, 16384),
            "tags": st.dictionaries(st.text(max_size=140), st.text(max_size=300), max_size=60),
            "environment": st.dictionaries(st.text(max_size=20), st.text(max_size=600), max_size=3),
            "prefix": st.from_regex(r"[a-zA-Z0-9._-]{1,300}", fullmatch=True),
            "subnets": st.lists(st.text(max_size=40), max_size=17),
            "security_groups": st.lists(st.from_regex(r"sg-[0-9]{1,40}", fullmatch=True), max_size=6),
            "kms_key": st.text(min_size=1, max_size=50),
            "image_uri": st.text(min_size=1, max_size=300),
        },
    ),
)
@pytest.mark.long
def test_no_experiment_breaks_a_limit_of_the_service(
    tag, method, benchmark, names, seed, wallclock, arguments, settings
):
    config = experiment("mlp_digits", experiment_tag=tag, seed=seed)
    parts = replace(
        config.benchmark,
        name=benchmark,
        config_space=dict.fromkeys(names, FLOAT),
        arguments={k: v for k, v in arguments.items() if k not in names},
        max_resource_attr=None,
    )
    config = replace(config, benchmark=parts, method=replace(config.method, name=method), max_wallclock_time=wallclock)
    try:
        made = SageMakerLauncher(**GIVEN, **settings).request(config, None)
    except ConfigError as error:
        # What the user types for the service is refused by name; an experiment alone never is.
        refused, made = str(error), None
    else:
        refused = ""
    if made is None:
        assert refused.startswith("launcher.")
        assert settings
    else:
        assert request_violations(made) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bucket": None}, r"launcher\.bucket: it is missing"),
        ({"bucket": "No_Bucket"}, r"launcher\.bucket='No_Bucket'"),
        ({"role": None}, r"launcher\.role: it is missing"),
        ({"role": "MyRole"}, r"launcher\.role='MyRole'.*arn:aws:iam"),
        ({"region": None}, r"launcher\.region: it is missing.*AWS_REGION"),
        ({"region": "mars-1"}, r"launcher\.region=mars-1"),
        ({"instance_type": "g4dn"}, r"launcher\.instance_type='g4dn'"),
        ({"instance_type": "ml.c5.4xlarge"}, r"it has 0 GPU\(s\)"),
        ({"framework_version": "1.0"}, r"launcher\.framework_version=1\.0: choose from"),
        ({"spot": True, "keep_alive": 60}, r"launcher\.keep_alive"),
        (
            {"spot": True, "max_runtime": 7200, "max_wait": 7199},
            r"launcher\.max_wait=7199: that is less than the 7200 s .*; give at least 7200, or .* launcher\.max_runtime",
        ),
        ({"subnets": ["subnet-1"]}, r"launcher\.security_groups"),
        ({"volume_gb": 0}, r"launcher\.volume_gb=0"),
        ({"keep_alive": 99999}, r"launcher\.keep_alive=99999"),
        ({"prefix": "a b"}, r"launcher\.prefix"),
        ({"bukket": "x"}, r"launcher\.bukket: there is no such key"),
        ({"environment": {"DB_PASSWORD": "x"}}, r"launcher\.environment\.DB_PASSWORD: it looks like a secret"),
        ({"environment": {"A": "x" * 513}}, r"launcher\.environment\.A"),
        ({"tags": {"a": "b,c"}}, r"launcher\.tags\.a"),
    ],
)
def test_a_wrong_key_is_one_sentence(given, message):
    with pytest.raises(ConfigError, match=message) as raised:
        request(given)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["api_key", "wandb.api-key", "PASSWORD", "aws_secret_access_key", "auth_token"])
def test_an_argument_that_looks_like_a_secret_is_refused(name):
    config = experiment()
    config.benchmark.arguments[name] = "x"
    with pytest.raises(ConfigError, match="Secrets Manager"):
        SageMakerLauncher(**GIVEN).request(config, None)


def test_a_reference_to_the_environment_is_refused_for_a_job_has_none_of_it():
    config = experiment()
    config.benchmark.arguments["account"] = "${hpo.env:ACCOUNT}"
    with pytest.raises(ConfigError, match=r"arguments\.account=\$\{hpo\.env:ACCOUNT\}: a job has nothing"):
        SageMakerLauncher(**GIVEN).request(config, None)


@pytest.mark.parametrize("name", ["token_length", "n_tokens", "tokenizer", "keypoints", "max_secretions"])
def test_an_argument_that_only_sounds_like_one_is_not(name):
    config = experiment()
    config.benchmark.arguments[name] = 3
    assert SageMakerLauncher(**GIVEN).request(config, None)


def test_an_unknown_framework_asks_for_an_image():
    with pytest.raises(ConfigError, match=r"benchmark\.framework=JAX.*image_uri"):
        request(**{"benchmark.framework": "JAX"})
    assert request({"image_uri": "x/y:1"}, **{"benchmark.framework": "JAX"})


# ---------------------------------------------------------------------- images


@pytest.mark.parametrize("version", PYTHON_OF)
def test_images_are_those_of_the_sdk(version):
    image_uris = extra("sagemaker.core.image_uris")
    from hpo.sagemaker.images import _ACCOUNTS

    for region in _ACCOUNTS:
        if version < "2.4" and region in ("ap-east-2", "ap-southeast-7"):
            continue
        theirs = image_uris.retrieve(
            framework="pytorch", region=region, version=version, py_version=PYTHON_OF[version],
            instance_type="ml.g5.xlarge", image_scope="training",
        )  # fmt: skip
        assert image_uri("PyTorch", version, region, "ml.g5.xlarge") == theirs


def test_cpu_machines_get_the_cpu_image_and_short_versions_the_newest():
    assert image_uri(None, "2.6", "eu-west-1", "ml.c5.4xlarge").endswith("pytorch-training:2.6.0-cpu-py312")
    assert ".amazonaws.com.cn/" in image_uri(None, "2.8.0", "cn-north-1", "ml.p3.2xlarge")
    assert [gpus_of(f"ml.{t}") for t in ("g4dn.12xlarge", "g6.48xlarge", "p5.4xlarge", "g5.xlarge", "c5.large")] == [
        4,
        8,
        1,
        1,
        0,
    ]
    assert gpus_of("ml.p9.24xlarge") is None


# ---------------------------------------------------------------------- regions, states, the command line


def test_the_region_is_found_as_boto3_finds_it(monkeypatch, tmp_path):
    config = tmp_path / "config"
    config.write_text("[default]\nregion = eu-west-1\n[profile work]\nregion = eu-west-2\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))

    def region(**keys):
        return SageMakerSettings.checked({"bucket": "abc", "role": ROLE, **keys}, placeholders=False).region

    assert region() == "eu-west-1"
    assert region(profile="work") == "eu-west-2"
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert region() == "eu-west-2"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    assert region() == "eu-west-3"
    assert region(region="us-east-1") == "us-east-1"


@pytest.mark.parametrize(
    ("found", "phase", "detail"),
    [
        ({"TrainingJobStatus": "InProgress", "SecondaryStatus": "Pending"}, "waiting", "pending"),
        ({"TrainingJobStatus": "InProgress", "SecondaryStatus": "Training"}, "running", "training"),
        ({"TrainingJobStatus": "InProgress", "SecondaryStatus": "Interrupted"}, "interrupted", "restarts"),
        ({"TrainingJobStatus": "Stopping", "SecondaryStatus": "Stopping"}, "running", "stopped"),
        ({"TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxRuntimeExceeded"}, "stopped", "launcher.max_runtime"),
        ({"TrainingJobStatus": "Completed", "SecondaryStatus": "Completed"}, "complete", ""),
        (
            {"TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError: no\nGPU"},
            "failed",
            "AlgorithmError: no GPU",
        ),
    ],
)
def test_what_the_service_says_becomes_a_phase(found, phase, detail):
    state = phase_of(found)
    assert state.phase == phase
    assert detail in state.detail


DRY = ("launcher=sagemaker", "launcher.dry_run=true", "method=RS,ASHA", "experiment_tag=t")


@pytest.mark.process
def test_a_dry_run_prints_and_stores_requests_without_anything_of_aws(workplace):
    workplace.benchmark(instance_type="ml.c5.4xlarge")
    blocked = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_CONFIG_FILE": "/dev/null"}
    out = succeeded(workplace.hpo("benchmark=mine", *DRY, **blocked))
    assert "2 of 2 experiments written" in out
    for method in ("RS", "ASHA"):
        stored = json.loads((workplace.directory("t", method) / "request.json").read_text())
        assert request_violations(stored) == []
        assert json.dumps(stored, indent=1) in out
        assert not (workplace.directory("t", method) / "launch.json").exists()


@pytest.mark.process
def test_a_dry_run_imports_no_sdk(workplace):
    workplace.benchmark(instance_type="ml.c5.4xlarge")
    code = (
        "import sys; sys.argv = ['hpo', *sys.argv[1:]]\nfrom hpo.__main__ import main\n"
        "try: main()\nfinally: sys.stderr.write(' '.join({m.partition('.')[0] for m in sys.modules}))"
    )
    arguments = ["--config-dir", "conf", "benchmark=mine", *DRY]
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=workplace.path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not {"boto3", "botocore", "sagemaker", "pandas", "scipy", "torch"} & set(done.stderr.split())


@pytest.mark.process
def test_a_missing_bucket_is_one_sentence_before_anything_is_sent(workplace):
    workplace.benchmark(instance_type="ml.c5.4xlarge")
    sentence = error_of(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t", "launcher=sagemaker"))
    assert sentence.startswith("launcher.region") or sentence.startswith("launcher.bucket")


def test_the_shipped_yaml_has_every_key_with_its_default():
    from dataclasses import fields

    from hpo.config.reading import content_of

    shipped = {k: v for k, v in content_of("launcher", "sagemaker").items() if k not in ("_target_", "wait", "dry_run")}
    assert list(shipped) != []
    assert {f.name for f in fields(SageMakerSettings)} - {"group"} == set(shipped)
    made = SageMakerSettings.checked({**shipped, **GIVEN}, placeholders=False)
    assert made == SageMakerSettings(**GIVEN)


def test_a_method_that_copies_checkpoints_is_refused_for_a_restarted_job_gets_none_of_the_copies_back():
    with pytest.raises(
        ConfigError, match=r"launcher=sagemaker: method=PBT lets trials .*; run it here or by launcher=slurm"
    ):
        request(method="PBT")
