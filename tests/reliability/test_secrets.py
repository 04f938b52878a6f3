"""T17: what is secret on the user's machine is on the disk nowhere in what a run, a report, an export or a request leaves.

A secret comes in as the environment's variable that a configuration refers to. What is typed in clear as an override is
part of the experiment, and stays it: it could not be compared or resumed otherwise.
"""

import gzip
import hashlib
import io
import json
import os
import sqlite3
import subprocess
import tarfile
import zipfile

import pytest

from hpo.results.experiment import load_experiment
from tests.conftest import error_of, succeeded
from tests.reliability.harness import RUNS

CANARY = "canary-7f3e9a41c2"
HASH = hashlib.sha256(CANARY.encode()).hexdigest()

SCRIPT = f'''
import argparse, hashlib, json, os
import hpo
parser = argparse.ArgumentParser()
for name in ("token", "url", "second"):
    parser.add_argument("--" + name)
parser.add_argument("--x", type=float)
a = parser.parse_args()
secret = a.token
assert hashlib.sha256(secret.encode()).hexdigest() == "{HASH}", "the trial gets the value"
assert a.url == f"https://user:{{secret}}@example.org/data", "also inside a text"
assert a.second == f"{{secret}} and fallback"
assert os.environ["OTHER_TOKEN"] == secret, "a trial has its user's environment"
hpo.report(loss=(a.x - 0.3) ** 2, known=len(secret))
'''

ARGUMENTS = {"token": "${oc.env:SOME_TOKEN}", "url": "https://user:${oc.env:SOME_TOKEN}@example.org/data"}
SECOND = "+benchmark.arguments.second='${oc.env:SOME_TOKEN} and ${oc.env:NOT_THERE_AT_ALL,fallback}'"
COMMAND = ("benchmark=mine", "method=RS", "random_seed=1", SECOND)


@pytest.fixture
def project(workplace):
    """A user's project under version control, with secrets where users have them."""
    workplace.write("train.py", SCRIPT)
    workplace.benchmark(
        script="train.py", arguments=ARGUMENTS, resource_attr=None, max_resource_attr=None, max_num_trials=3
    )
    workplace.write(".git/config", f'[remote "origin"]\n\turl = https://user:{CANARY}@example.org/project.git\n')
    workplace.write(".git/HEAD", "ref: refs/heads/main\n")
    workplace.environment = {
        "SOME_TOKEN": CANARY, "OTHER_TOKEN": CANARY, "WANDB_API_KEY": CANARY, "AWS_SECRET_ACCESS_KEY": CANARY,
        "HTTPS_PROXY": f"http://user:{CANARY}@127.0.0.1:1", "DATABASE_URL": f"postgres://u:{CANARY}@127.0.0.1/x",
    }  # fmt: skip
    return workplace


def pieces(name, data):
    """(name, content) of a file and of all that is packed in it."""
    yield name, data
    if data.startswith(b"\x1f\x8b"):
        yield from pieces(f"{name}!gunzipped", gzip.decompress(data))
    elif zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                yield from pieces(f"{name}!{member}", archive.read(member))
    elif data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                if member.isfile():
                    yield from pieces(f"{name}!{member.name}", archive.extractfile(member).read())
    elif data.startswith(b"SQLite format 3\0"):
        database = sqlite3.connect(":memory:")
        database.deserialize(data[:18] + b"\1\1" + data[20:])  # a write-ahead log would have to be a file
        yield f"{name}!dump", "\n".join(database.iterdump()).encode()
        database.close()


def leaks(folder, secret=CANARY, but=()):
    """Names of what holds the secret."""
    found, looked_at = [], 0
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.relative_to(folder).parts[0] not in but:
            for name, data in pieces(str(path.relative_to(folder)), path.read_bytes()):
                looked_at += 1
                if secret.encode() in data or secret.encode("utf-16-le") in data:
                    found.append(name)
    assert looked_at > 0
    return found


def test_the_search_finds_a_secret_in_all_that_is_packed(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside", json.dumps({"a": CANARY}))
    (tmp_path / "b.gz").write_bytes(gzip.compress(CANARY.encode()))
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "b.gz", "b.gz")
    with sqlite3.connect(tmp_path / "d.db") as database:
        database.execute("CREATE TABLE t (x TEXT)")
        database.execute("INSERT INTO t VALUES (?)", (CANARY,))
    database.close()
    (tmp_path / "e").write_text("nothing")
    assert {name.partition("!")[0] for name in leaks(tmp_path)} == {"a.zip", "b.gz", "c.tar.gz", "d.db"}


def test_no_secret_is_in_what_a_run_a_report_and_an_export_leave(project):
    said = succeeded(project.hpo(*COMMAND, "experiment_tag=t"))
    directory = project.directory("t")
    experiment = load_experiment(directory)
    assert [state.status for state in experiment.state.trials.values()] == ["completed"] * 3
    assert set(experiment.reports["known"]) == {len(CANARY)}
    assert experiment.config.benchmark.arguments["token"] == "${hpo.env:SOME_TOKEN}"
    verbs = [["status"], ["report"], ["replay"], ["watch", "--once"], ["export"], ["reproduce"]]
    if RUNS:
        verbs += [["export", "--to", form] for form in ("csv", "jsonl", "parquet", "optuna", "hparams")]
    for verb, *options in verbs:
        said += succeeded(project.verb(verb, str(directory), *options))
    assert CANARY not in said
    assert leaks(project.path, but=(".git",)) == []


def test_the_printed_command_of_a_trial_takes_the_secret_from_the_environment(project):
    succeeded(project.hpo(*COMMAND, "experiment_tag=t", "max_num_trials=1"))
    script = succeeded(project.verb("reproduce", str(project.directory("t"))))
    assert CANARY not in script
    environment = {**os.environ, **project.environment}
    done = subprocess.run(
        ["sh", "-euc", script], env={**environment, "NOT_THERE_AT_ALL": "fallback"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert leaks(project.path, but=(".git",)) == []
    again = succeeded(project.verb("reproduce", str(project.directory("t")), "--run", "--output", "again"))
    assert "loss: equal in all 1" in again
    assert leaks(project.path, but=(".git",)) == []


def test_a_failing_trial_does_not_show_its_arguments(project):
    project.write("train.py", SCRIPT + "\nraise SystemExit('it ends here')\n")
    result = project.hpo(*COMMAND, "experiment_tag=t", "max_failures=1")
    assert "it ends here" in result.stdout + result.stderr
    assert CANARY not in result.stdout + result.stderr
    assert leaks(project.path, but=(".git",)) == []


def test_a_changed_secret_goes_on_with_the_experiment_and_a_missing_one_is_named(project):
    project.write("train.py", SCRIPT.replace(f'== "{HASH}"', "is not None"))
    succeeded(project.hpo(*COMMAND, "experiment_tag=t", "max_num_trials=1"))
    project.environment["SOME_TOKEN"] = project.environment["OTHER_TOKEN"] = "rotated-canary-2"
    succeeded(project.hpo(*COMMAND, "experiment_tag=t", "max_num_trials=2"))
    assert leaks(project.path, "rotated-canary-2", but=(".git",)) == []
    del project.environment["SOME_TOKEN"]
    result = project.hpo(*COMMAND, "experiment_tag=t", "max_num_trials=3")
    assert result.returncode == 1
    assert "SOME_TOKEN" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_remote_job_with_a_reference_is_refused_and_nothing_of_it_is_kept(project, tmp_path):
    dry = ("launcher=sagemaker", "launcher.dry_run=true", "experiment_tag=dry", "launcher.instance_type=ml.m5.large")
    result = project.hpo(*COMMAND, *dry)
    assert "a job has nothing of your environment" in error_of(result)
    assert CANARY not in result.stdout + result.stderr
    assert leaks(project.path, but=(".git",)) == []


def test_no_secret_is_in_the_request_of_a_remote_job_nor_in_its_code(project, tmp_path):
    """The environment and the project's git hold secrets; the configuration refers to none."""
    project.benchmark(
        script="train.py", arguments={"token": "none"}, resource_attr=None, max_resource_attr=None, max_num_trials=3
    )
    dry = ("launcher=sagemaker", "launcher.dry_run=true", "experiment_tag=dry", "launcher.instance_type=ml.m5.large")
    said = succeeded(project.hpo("benchmark=mine", "method=RS", "random_seed=1", *dry))
    assert CANARY not in said
    assert leaks(project.path, but=(".git",)) == []
