"""Experiments sent to a SageMaker that really runs them: tests/support/fake_sagemaker.py, our reading of the service."""

import gzip
import io
import json
import os
import random
import re
import shutil
import signal
import sys
import tarfile
import time
import zipfile
from collections import Counter

import pytest

from hpo.results.experiment import load_experiment
from tests.conftest import error_of, succeeded
from tests.reliability.harness import RUNS, wait_until
from tests.reliability.test_kill import decisions
from tests.support.fake_sagemaker import can_run, forget_clients

needs_service = [
    pytest.mark.xdist_group("sagemaker"),
    pytest.mark.timeout(300),
    pytest.mark.skipif(not can_run(), reason="this user may not make mount and pid namespaces"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore"),
]
pytestmark = [*needs_service, pytest.mark.process]

METHODS = ("RS", "BO", "ASHA", "MOBSTER")


def send(place, fake, *overrides, **keys):
    return place.hpo("benchmark=mine", *overrides, *fake.overrides(**keys))


def only(fake):
    (name,) = fake.jobs()
    return name


def results(fake, tag="t", run="RS-0", benchmark="mine"):
    """What lies on S3 of one experiment."""
    return fake.objects(f"hpo/{tag}/{run}/{benchmark}/")


def synced(directory):
    """What lies here of one experiment, without what the launcher itself keeps."""
    files = {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}
    return {name: data for name, data in files.items() if name not in ("request.json", "launch.json")}


def to_be_synced(found):
    """Neither checkpoints nor what the service uploaded while it was being written."""
    return {name: data for name, data in found.items() if not name.endswith(("/checkpoint.tar", ".tmp"))}


# ---------------------------------------------------------------------- one job


def test_an_experiment_runs_as_a_job_and_its_results_come_back(place, fake):
    out = succeeded(send(place, fake, "method=RS", "experiment_tag=t", "random_seed=7"))
    name = only(fake)
    assert re.fullmatch(r"mine-t-RS-0-[A-Za-z0-9]{4}", name)
    assert name in out
    assert fake.wait() == {name: "Completed"}
    half = {"Bucket": fake.bucket, "Key": "hpo/t/RS-0/mine/.metadata.json.7.tmp", "Body": b"{"}
    fake.client("s3").put_object(**half)  # as when the service uploads while a file is being written
    there = results(fake)
    assert {"events.db", "experiment.yaml", "metadata.json", "results.csv.zip", "best.yaml"} <= set(there)
    assert "events.db-wal" not in there
    first = succeeded(place.verb("sync", "t"))
    assert f"{len(to_be_synced(there))} file(s) brought" in first
    assert synced(place.directory("t")) == to_be_synced(there)
    assert " 0 file(s) brought" in succeeded(place.verb("sync", "t"))
    experiment = load_experiment(place.directory("t"))
    status = succeeded(place.verb("status", "t"))
    assert f"job {name} complete" in status
    assert f"{experiment.best['loss']:.6g}" in status
    assert "0 different" in succeeded(place.verb("replay", "t"))
    metrics = {m["MetricName"]: m["Value"] for m in fake.describe(name)["FinalMetricDataList"]}
    best = experiment.best
    assert metrics == {
        "best_metric_value": best["loss"],
        "best_trial_id": best["trial_id"],
        "best_resource_value": best["epoch"],
        "best_hp_x": best["configuration"]["x"],
    }


def test_the_job_runs_the_code_that_was_sent_and_its_function_goes_on_from_checkpoints(place, fake):
    place.write("lab/__init__.py", "from lab.helping import loss\n")
    place.write("lab/helping.py", "def loss(x, epoch):\n    return (x - 0.3) ** 2 + 1 / epoch\n")
    place.write("lab/training.py", FUNCTION)
    place.benchmark(
        script=..., function="lab.training:objective", instance_type="ml.c5.4xlarge", arguments={"epochs": 9}
    )
    fake.control("set", image_environment={"PYTHONDONTWRITEBYTECODE": "1"})  # as AWS's images have it
    succeeded(send(place, fake, "method=ASHA", "experiment_tag=t", "launcher.wait=true"))
    experiment = load_experiment(place.directory("t", "ASHA"))
    assert experiment.metadata["status"] == "complete"
    resumed = experiment.reports[experiment.reports["first"] > 1]
    assert len(resumed) > 0
    assert not sum(experiment.state.again.values())
    printed = (experiment.directory / "trials/0/attempt_0/stdout.log").read_text()
    assert printed == "/opt/ml/hpo/code/hpo/__init__.py /opt/ml/hpo/code /opt/ml/hpo/code/lab/training.py False\n"


FUNCTION = """
import os, sys
import hpo
from hpo import checkpoint
from lab import loss

def objective(config, report):
    print(hpo.__file__, os.getcwd(), __file__, sys.dont_write_bytecode)
    saved = checkpoint.directory() / "epoch"
    first = int(saved.read_text()) + 1 if saved.exists() else 1
    for epoch in range(first, 100):
        saved.write_text(str(epoch))
        report(epoch=epoch, loss=loss(config["x"], epoch), first=first)
"""


@pytest.mark.slow
def test_earlier_results_travel_with_the_job_and_a_second_call_finds_it(place, fake):
    """The source is here only, goes on after the job was sent, and is then deleted."""
    succeeded(place.hpo("benchmark=mine", "method=RS", "experiment_tag=first"))
    command = ("method=RS", "experiment_tag=t", "random_seed=7", "warm_start=[outputs/first]")
    succeeded(send(place, fake, *command))
    succeeded(place.hpo("benchmark=mine", "method=RS", "experiment_tag=first", "max_num_trials=5"))
    succeeded(send(place, fake, *command))
    assert fake.wait() == {only(fake): "Completed"}
    shutil.rmtree(place.path / "outputs" / "first")
    copy = (place.directory("t") / "warm_start.jsonl").read_bytes()
    shutil.rmtree(place.directory("t") / "trials", ignore_errors=True)
    succeeded(place.verb("sync", "t"))
    assert results(fake)["warm_start.jsonl"] == copy
    assert "0 different" in succeeded(place.verb("replay", "t"))


PATIENT = """
import os, pathlib, sys, time, hpo
given = dict(word[2:].split("=", 1) for word in sys.argv[1:])
go, saved = pathlib.Path(given["go"]), pathlib.Path(os.environ["HPO_CHECKPOINT_DIR"]) / "epoch"
first = int(saved.read_text()) + 1 if saved.exists() else 1
for epoch in range(first, 7):
    while epoch == 4 and not go.exists():
        time.sleep(0.02)
    saved.write_text(str(epoch))
    hpo.report(epoch=epoch, loss=1 / epoch, first=first)
"""


def patient(place):
    """A benchmark whose trials wait after three epochs until somebody writes the file `go`."""
    place.write("train.py", PATIENT)
    space = {"go": str(place.path / "go"), "x": {"type": "float", "lower": 0.0, "upper": 1.0}}
    keys = {"arguments": ..., "max_resource_attr": ..., "n_workers": 2, "max_num_trials": 2}
    content = place.benchmark(script="train.py", instance_type="ml.c5.4xlarge", config_space=space, **keys)
    assert "arguments" not in content


def test_a_second_call_sends_nothing_and_a_stopped_job_is_gone_on_with(place, fake):
    patient(place)
    command = ("method=RS", "experiment_tag=t", "random_seed=7")
    succeeded(send(place, fake, *command))
    name = only(fake)
    wait_until(lambda: b"6 reports" in results(fake).get("progress.json", b""), what="a copy of three epochs each")
    assert succeeded(send(place, fake, *command)).count(name) == 1
    assert "running" in succeeded(place.verb("status", "t"))
    assert f"asked job {name} to stop" in succeeded(place.verb("stop", "t"))
    fake.wait()
    assert fake.jobs() == {name: "Stopped"}
    assert "interrupted; the same command resumes it" in fake.log(name)
    assert "stopped" in succeeded(place.verb("status", "t"))
    place.write("go", "")
    out = succeeded(send(place, fake, *command, "launcher.wait=true"))
    assert f"job {name} stopped before" in out
    assert fake.jobs() == {name: "Stopped", f"{name}-r1": "Completed"}
    assert "resumed from a copy" in fake.log(f"{name}-r1")
    after = load_experiment(place.directory("t"))
    assert after.state.sessions == 2
    assert [s.status for s in after.state.trials.values()] == ["completed"] * 2
    made = Counter((e.trial, e.resource) for e in after.events if e.kind == "reported")
    assert made == Counter({(trial, epoch): 1 for trial in range(2) for epoch in range(1, 7)})
    assert {e.body["metrics"]["first"] for e in after.events if e.kind == "reported" and e.resource == 6} == {4}, (
        "from the checkpoints"
    )
    assert succeeded(send(place, fake, *command)).count(f"{name}-r1") == 1
    assert len(fake.jobs()) == 2


def test_a_failing_experiment_says_why_in_status(place, fake):
    place.benchmark(instance_type="ml.c5.4xlarge", metric="accuracy")
    result = send(place, fake, "method=RS", "experiment_tag=t", "launcher.wait=true")
    assert result.returncode == 1
    assert "benchmark.metric=accuracy" in fake.describe(only(fake))["FailureReason"]
    assert "benchmark.metric=accuracy" in succeeded(place.verb("status", "t"))


@pytest.mark.slow
def test_an_experiment_without_a_result_has_failed_sends_no_second_job_and_is_retried_when_asked_to(place, fake):
    script = "import os, sys, hpo\nos.path.exists({!r}) or sys.exit(3)\nhpo.report(epoch=3, loss=1)\n"
    place.write("train.py", script.format(str(place.path / "go")))
    place.benchmark(script="train.py", instance_type="ml.c5.4xlarge", max_num_trials=2)
    command = ("method=RS", "experiment_tag=t", "random_seed=7", "launcher.wait=true")
    assert send(place, fake, *command).returncode == 1
    name = only(fake)
    assert "no finite loss" in fake.describe(name)["FailureReason"]
    assert load_experiment(place.directory("t")).metadata["status"] == "failed"
    sentence = error_of(send(place, fake, *command))
    assert "without one finite loss" in sentence
    assert "retry=failed" in sentence
    place.write("go", "")
    succeeded(send(place, fake, *command, "retry=failed"))
    assert fake.jobs() == {name: "Failed", f"{name}-r1": "Completed"}
    experiment = load_experiment(place.directory("t"))
    assert [s.status for s in experiment.state.trials.values()] == ["failed"] * 2 + ["completed"] * 2


@pytest.mark.slow
def test_requirements_that_do_not_install_say_so_in_status(place, fake):
    place.write("code/train.py", "")
    place.write("code/requirements.txt", "no-such-project-of-anybody>=7\n")
    place.benchmark(script="code/train.py", instance_type="ml.c5.4xlarge")
    send(place, fake, "method=RS", "experiment_tag=t", "launcher.wait=true")
    status = succeeded(place.verb("status", "t"))
    assert "requirements could not be installed" in status
    assert "no-such-project-of-anybody" in status


@pytest.mark.slow
def test_overwriting_replaces_what_is_on_s3_and_here(place, fake):
    succeeded(send(place, fake, "method=RS", "experiment_tag=t", "launcher.wait=true"))
    other = ("method=RS", "experiment_tag=t", "max_num_trials=1", "launcher.wait=true", "benchmark.arguments.epochs=2")
    assert "overwrite=true" in error_of(send(place, fake, *other))
    succeeded(send(place, fake, *other, "overwrite=true"))
    assert load_experiment(place.directory("t")).state.reports == 2
    assert not (place.directory("t") / "trials" / "1").exists()
    assert len(fake.jobs()) == 2


# ---------------------------------------------------------------------- many jobs


def grid(place, fake, methods, seeds, **keys):
    return (
        "benchmark=mine",
        f"method={','.join(methods)}",
        f"num_seeds={seeds}",
        "experiment_tag=grid",
        "random_seed=7",
        "use_long_tuner_name_prefix=false",
        *fake.overrides(**keys),
    )


def check_grid(place, fake, methods, seeds):
    jobs = fake.wait(280, count=len(methods) * seeds)
    assert set(jobs.values()) == {"Completed"}
    names = Counter(name.rpartition("-")[0] for name in jobs)
    assert names == Counter(f"grid-{method}-{seed}" for method in methods for seed in range(seeds))
    assert all(re.fullmatch(r"grid-[A-Z-]+-\d-[A-Za-z0-9]{4}", name) for name in jobs)
    succeeded(place.verb("sync", "grid"))
    for method in methods:
        for seed in range(seeds):
            there = results(fake, "grid", f"{method}-{seed}")
            here = place.directory("grid", method, seed)
            assert synced(here) == to_be_synced(there)
            assert load_experiment(here).metadata["status"] == "complete"
    return jobs


@pytest.mark.slow
def test_many_jobs_through_a_quota_and_throttling_run_once_each(place, fake):
    fake.control("set", quota=2, throttle=0.5)
    succeeded(place.hpo(*grid(place, fake, ("RS", "ASHA"), 2)))
    check_grid(place, fake, ("RS", "ASHA"), 2)
    assert fake.control("calls")["throttled"] > 0


def longer(place):
    """A benchmark whose jobs last for seconds, so that the quota is used up."""
    place.benchmark(
        instance_type="ml.c5.4xlarge", arguments={"epochs": 9, "sleep": 0.1}, n_workers=2, max_num_trials=12
    )


@pytest.mark.slow
def test_four_methods_and_five_seeds_run_once_each(place, fake):
    fake.control("set", quota=4, throttle=0.3)
    longer(place)
    begin = time.monotonic()
    with place.start(*grid(place, fake, METHODS, 5)) as process:
        out, err = process.communicate(timeout=280)
    assert process.returncode == 0, out + err
    check_grid(place, fake, METHODS, 5)
    sys.stdout.write(f"20 jobs in {time.monotonic() - begin:.1f} s, calls {fake.control('calls')}\n")


def killed_launches(place, fake, methods, seeds, kills, longest):
    rng = random.Random(kills)
    for _ in range(kills):
        process = place.start(*grid(place, fake, methods, seeds, quota_wait=0.3))
        time.sleep(0.3 + rng.random() * longest)
        process.kill()
        process.communicate()
    succeeded(place.hpo(*grid(place, fake, methods, seeds, quota_wait=0.3)))
    jobs = check_grid(place, fake, methods, seeds)
    assert len(jobs) == len(methods) * seeds


@pytest.mark.slow
def test_a_launcher_killed_at_any_moment_and_run_again_sends_each_job_once(place, fake):
    fake.control("set", quota=3, throttle=0.2, lose=0.2)
    killed_launches(place, fake, ("RS", "ASHA"), 2, RUNS or 3, 1.5)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_kills_of_twenty_jobs_leave_no_duplicate_and_no_gap(place, fake):
    fake.control("set", quota=4, throttle=0.3, lose=0.1)
    longer(place)
    killed_launches(place, fake, METHODS, 5, 10, 6.0)


# ---------------------------------------------------------------------- what travels

NASTY = {
    "quotes": 'it\'s "quoted" and `ticked`',
    "substitution": "$(touch {place}/executed) ${{HOME}} `touch {place}/executed`; touch {place}/executed",
    "lines": "one\ntwo\r\n\tthree\\n four\n",
    "unicode": "grüße 🙂 \u2028 %s {{}} ${{oc.env:HOME}}",
    "long": "x'\"$ " * 20_000,
}


@pytest.mark.slow
def test_any_text_arrives_as_it_is_and_nothing_is_executed(place, fake):
    values = {name: text.format(place=place.path) if name != "long" else text for name, text in NASTY.items()}
    assert len(values["long"]) == 100_000
    values["unicode"] = values["unicode"].replace("${", "$ {")  # to Hydra it would be an interpolation
    values["substitution"] = values["substitution"].replace("${HOME}", "$HOME")
    script = (
        "import json, os, sys, hpo\n"
        "seen = dict(a[2:].split('=', 1) for a in sys.argv[1:])\n"
        "json.dump(seen, open(os.environ['HPO_CHECKPOINT_DIR'] + '/seen.json', 'w'))\n"
        "hpo.report(epoch=1, loss=0.0)\n"
    )
    place.write("train.py", script)
    arguments = {"epochs": 1, **values}
    place.benchmark(script="train.py", instance_type="ml.c5.4xlarge", arguments=arguments, max_num_trials=1)
    succeeded(
        send(place, fake, "method=RS", "experiment_tag=t", "launcher.wait=true", "launcher.sync_checkpoints=true")
    )
    seen = json.loads((place.directory("t") / "trials/0/checkpoint/seen.json").read_text())
    assert {name: seen[name] for name in values} == values
    assert not (place.path / "executed").exists()


CANARY = "canary-5f1b9d"


def everything(data):
    """The bytes of an object, and of what is packed in it."""
    yield data
    if data[:2] == b"\x1f\x8b":
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
            for member in archive.getmembers():
                yield member.name.encode()
                yield archive.extractfile(member).read()
    elif data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from (archive.read(name) for name in archive.namelist())


def test_no_secret_of_the_environment_or_the_command_leaves_this_machine(place, fake):
    place.write("code/train.py", "import hpo\nhpo.report(epoch=1, loss=0.0)\n")
    place.write("code/.env", CANARY)
    place.write("code/.aws/credentials", CANARY)
    place.benchmark(script="code/train.py", instance_type="ml.c5.4xlarge", max_num_trials=1)
    secrets = {"AWS_SECRET_ACCESS_KEY": CANARY, "WANDB_API_KEY": CANARY, "HPO_TOKEN": CANARY, "MY_PASSWORD": CANARY}
    place.environment.update(secrets)
    for override in (f"+benchmark.arguments.api_key={CANARY}", f"+launcher.environment.MY_PASSWORD={CANARY}"):
        sentence = error_of(send(place, fake, "method=RS", "experiment_tag=s", override))
        assert CANARY not in sentence
    succeeded(send(place, fake, "method=RS", "experiment_tag=t", "launcher.wait=true"))
    name = only(fake)
    found = {
        **fake.objects(),
        "log": fake.log(name).encode(),
        "description": json.dumps(fake.describe(name), default=str).encode(),
        **{str(p): p.read_bytes() for p in place.directory("t").rglob("*") if p.is_file()},
    }
    assert len(found) > 15
    for key, data in found.items():
        assert not any(CANARY.encode() in part for part in everything(data)), key


def test_a_trial_cannot_forge_the_best_result(place, fake):
    script = (
        "import sys, hpo\nhpo.report(epoch=1, loss=0.5)\n"
        "for file in (sys.stdout, sys.stderr): print('[hpo] best_metric_value=-99', file=file)\n"
        "print('[hpo 00000000] best_metric_value=-99 best_hp_x=-99', file=sys.stderr)\nsys.exit(1)\n"
    )
    place.write("train.py", script)
    place.benchmark(script="train.py", instance_type="ml.c5.4xlarge", max_num_trials=2)
    send(place, fake, "method=RS", "experiment_tag=t", "launcher.wait=true")
    metrics = {m["MetricName"]: m["Value"] for m in fake.describe(only(fake))["FinalMetricDataList"]}
    assert metrics["best_metric_value"] == 0.5


def test_one_worker_decides_the_same_here_and_there(place, fake):
    place.benchmark(instance_type="ml.c5.4xlarge", n_workers=1, max_num_trials=9, arguments={"epochs": 9})
    command = ("method=ASHA", "random_seed=7")
    succeeded(place.hpo("benchmark=mine", *command, "experiment_tag=here"))
    succeeded(send(place, fake, *command, "experiment_tag=there", "launcher.wait=true"))

    def log(tag):
        plain = []
        for entry in decisions(place.directory(tag, "ASHA")):
            plain.append(
                tuple(
                    {k: v for k, v in item.items() if k != "pid"} if isinstance(item, dict) else item for item in entry
                )
            )
        return plain

    assert len(log("here")) > 20
    assert log("here") == log("there")
    assert (
        load_experiment(place.directory("here", "ASHA")).best == load_experiment(place.directory("there", "ASHA")).best
    )


# ---------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"bucket": "nobody-has-this"}, r"launcher\.bucket=nobody-has-this: there is no such bucket; create it"),
        ({"role": "arn:aws:iam::123456789012:role/nobody"}, r"launcher\.role=.*there is no such role"),
        ({"profile": "nobody"}, r"launcher\.profile: .*nobody"),
        ({"instance_type": "ml.c99.large"}, r"does not know this launcher\.instance_type"),
    ],
)
def test_what_aws_lacks_is_one_sentence_and_is_not_tried_again_and_again(place, fake, keys, message):
    begin = time.monotonic()
    sentence = error_of(send(place, fake, "method=RS", "experiment_tag=t", **keys))
    assert re.search(message, sentence)
    assert time.monotonic() - begin < 60, "it does not try again and again"
    assert fake.jobs() == {}


def test_no_credentials_and_no_service_are_one_sentence_each(place, fake):
    nobody = {name: "" for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    result = place.hpo(
        "benchmark=mine", "method=RS", "experiment_tag=t", *fake.overrides(), AWS_EC2_METADATA_DISABLED="true", **nobody
    )
    assert "there are no AWS credentials" in error_of(result)
    place.environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    assert "no AWS service answers there" in error_of(send(place, fake, "method=RS", "experiment_tag=t"))


def test_a_quota_of_zero_says_at_once_what_to_request(place, fake):
    fake.control("set", quota=0)
    sentence = error_of(send(place, fake, "method=RS", "experiment_tag=t"))
    assert "'ml.c5.4xlarge for training job usage' under Service Quotas" in sentence


@pytest.mark.slow
def test_waiting_for_a_quota_can_be_interrupted(place, fake):
    fake.control("set", quota=1)
    patient(place)
    succeeded(send(place, fake, "method=RS", "experiment_tag=t"))
    process = place.start("benchmark=mine", "method=ASHA", "experiment_tag=t", *fake.overrides(quota_wait=30))
    wait_until(lambda: fake.control("calls")["CreateTrainingJob"] >= 2, what="the refusal")
    while "Ctrl-C is safe" not in (line := process.stdout.readline()):
        assert line, "it ended without saying that it waits"
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_one_job_is_submitted_within_a_second(fake, tmp_path, monkeypatch):
    from hpo.config.reading import load_config, resolve
    from hpo.sagemaker.launcher import SageMakerLauncher

    for name, value in fake.environment.items():
        monkeypatch.setenv(name, value)
    import boto3  # noqa: F401  the bar is without imports

    forget_clients()
    launcher = SageMakerLauncher(bucket=fake.bucket, role=fake.role)
    experiment = resolve(load_config("mlp_digits", "RS", experiment_tag="t", random_seed=0, max_num_trials=1))
    begin = time.monotonic()
    assert launcher.launch(experiment, tmp_path / "out") == 0
    seconds = time.monotonic() - begin
    fake.client("sagemaker").stop_training_job(TrainingJobName=only(fake))
    assert seconds < (1.0 if RUNS else 20.0)
    forget_clients()
