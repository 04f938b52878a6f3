"""`launcher=slurm`, for real, on a private Slurm of two nodes with pretended GPUs; see tests/support/slurm."""

import fcntl
import hashlib
import json
import os
import pickletools
import shlex
import shutil
import signal
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

import hpo
from hpo.config.reading import load_config, resolve, to_yaml
from hpo.errors import ConfigError, ExperimentError
from hpo.events.types import Kind
from hpo.experiment.run import run_experiment
from hpo.launchers.remote import Phase
from hpo.results.experiment import load_experiment
from hpo.slurm import submission
from hpo.slurm.commands import TooLargeError
from hpo.slurm.job import FRUITLESS, _conclude, read_note, write_note
from hpo.slurm.job_state import job_state
from hpo.slurm.launcher import SlurmLauncher
from hpo.slurm.nodes import shares
from tests.conftest import error_of, succeeded
from tests.reliability.test_kill import decisions
from tests.support.slurm.cluster import wait_until
from tests.support.slurm.workplace import SCRIPT, SMALL, Slurm, is_complete

pytestmark = [pytest.mark.xdist_group("slurm"), pytest.mark.process]


@pytest.fixture(scope="module")
def overtime(tmp_path_factory, cluster):
    """An experiment of 38 s whose job may take a minute and is to be warned 25 s before its end. Slurm looks at limits twice
    a minute only, and warns half a minute early rather than late: 5 to 35 s after the start, when the session can already
    hear it. So it is started first and looked at last."""
    workplace = Slurm(tmp_path_factory.mktemp("overtime")).prepare(
        cluster, seconds=0.5, arguments={"epochs": 76}, max_num_trials=2, num_gpus_per_trial=0
    )
    succeeded(workplace.launch("launcher.timeout_min=1", "launcher.signal_delay_s=25", tag="overtime"))
    return workplace


@pytest.mark.usefixtures("overtime")
def test_six_experiments_share_two_nodes_and_no_device_serves_two_trials_at_once(place):
    out = succeeded(place.launch("seed=0,1,2,3,4,5"))
    assert "6 of 6 experiments" in out
    directories = [place.directory("t", seed=seed) for seed in range(6)]
    assert len({place.record(directory)["job"] for directory in directories}) == 6
    for directory in directories:
        place.wait_for(directory, Phase.COMPLETE)
        is_complete(directory)
    entries = [entry for entry in place.diary() if "epoch" in entry]
    assert len(entries) == 6 * 3 * 3
    assert {entry["node"] for entry in entries} == {"n1", "n2"}
    assert all(len(entry["devices"].split(",")) == 1 for entry in entries), "one device per trial"
    for one, other in combinations(entries, 2):
        overlap = one["begin"] < other["end"] and other["begin"] < one["end"]
        same_trial = (one["experiment"], one["trial"]) == (other["experiment"], other["trial"])
        if overlap and not same_trial and one["node"] == other["node"]:
            assert one["devices"] != other["devices"]
    used = {(entry["node"], entry["devices"]) for entry in entries}
    assert {device for _, device in used} <= {"0", "1", "2", "3"}
    assert len(used) > 4, "more devices than one node has"
    assert succeeded(place.verb("status", "t")).count(" complete\n") == 6


@pytest.mark.slow
def test_a_job_that_is_pre_empted_goes_on_where_it_was_and_loses_no_report(tmp_path, cluster):
    place = Slurm(tmp_path).prepare(cluster, seconds=0.25, arguments={"epochs": 12}, max_num_trials=4)
    directory = place.directory("t")
    succeeded(place.launch("launcher.sbatch.nodelist=n1"))
    place.wait_for_report(5)
    cluster.call("sbatch", "-p", "urgent", "--nodelist=n1", "--gres=gpu:4", "--output=/dev/null", "--wrap=true")
    place.wait_for(directory, Phase.INTERRUPTED)
    stored = {(e.trial, e.resource) for e in load_experiment(directory).events if e.kind == Kind.REPORTED}
    assert load_experiment(directory).metadata["status"] == "interrupted"
    place.hurry()
    wait_until(lambda: " waiting " in succeeded(place.verb("status", "t")), what="the job's return to the queue")
    place.wait_for(directory, Phase.COMPLETE)
    experiment, rows = is_complete(directory)
    assert stored <= rows
    assert rows == {(trial, epoch) for trial in range(4) for epoch in range(1, 13)}
    assert sum(event.kind == Kind.OPENED for event in experiment.events) == 2
    assert read_note(directory)["restarts"] == 1
    assert any("grace" in entry for entry in place.diary())
    assert {state.status.value for state in experiment.state.trials.values()} == {"completed"}


def test_a_job_that_is_warned_gives_every_trial_its_grace_and_requeues_itself(tmp_path, cluster):
    place = Slurm(tmp_path).prepare(cluster, seconds=0.25, arguments={"epochs": 20}, max_num_trials=2)
    directory = place.directory("t")
    succeeded(place.launch())
    place.wait_for_report(3)
    cluster.call("scancel", "--batch", "--signal=TERM", place.record(directory)["job"])  # as in a partition's GraceTime
    place.wait_for(directory, Phase.WAITING)
    assert sorted(entry["trial"] for entry in place.diary() if "grace" in entry) == [0, 1]
    place.hurry()
    place.wait_for(directory, Phase.COMPLETE)
    assert is_complete(directory)[1] == {(trial, epoch) for trial in range(2) for epoch in range(1, 21)}
    assert read_note(directory)["restarts"] == 1


def test_wait_returns_when_the_job_is_complete_and_the_same_command_then_submits_nothing(place):
    directory = place.directory("t")
    assert succeeded(place.launch("launcher.wait=true")).endswith("complete\n")
    is_complete(directory)
    record = place.record(directory)
    out = succeeded(place.launch())
    assert "complete; nothing submitted" in out
    assert place.record(directory) == record
    assert list(directory.glob("slurm/*_submission.sh")) == [directory / f"slurm/{record['job']}_submission.sh"]
    out = succeeded(place.launch("max_num_trials=4", "launcher.wait=true"))
    assert place.record(directory)["job"] != record["job"], "a larger budget is something to do"
    assert len(is_complete(directory)[1]) == 4 * 3


@pytest.mark.slow
def test_stop_gives_trials_their_grace_and_the_same_command_goes_on(tmp_path, cluster):
    place = Slurm(tmp_path).prepare(cluster, seconds=0.2, arguments={"epochs": 30})
    directory = place.directory("t")
    succeeded(place.launch())
    first = place.record(directory)["job"]
    place.wait_for_report(2)
    assert f"job {first} is running; nothing submitted" in succeeded(place.launch())
    assert place.record(directory)["job"] == first
    assert place.jobs().count("t-RS-0") == 1
    assert f"job {first} running on n" in succeeded(place.verb("status", "t"))
    assert "benchmark.mode: min -> max" in error_of(place.launch("benchmark.mode=max"))
    assert "hpo stop" in error_of(place.launch("overwrite=true"))
    assert f"asked job {first} to stop" in succeeded(place.verb("stop", "t"))
    wait_until(lambda: "exit_code" in read_note(directory), what="the job's last word")
    assert any("grace" in entry for entry in place.diary())
    stopped = f"job {first} stopped by hpo stop"  # Slurm takes a moment to see that the job has ended
    wait_until(lambda: stopped in succeeded(place.verb("status", "t")), what="the state after the end")
    assert load_experiment(directory).metadata["status"] == "interrupted"
    before = len(load_experiment(directory).reports)
    wait_until(lambda: "t-RS-0" not in place.jobs(), what="the end of the job")  # and it is not requeued
    place.hurry()
    assert "0 file(s) brought" in succeeded(place.verb("sync", "t"))
    succeeded(place.launch("launcher.wait=true"))
    assert place.record(directory)["job"] != first
    assert len(is_complete(directory)[1]) == 90 > before > 0


@pytest.mark.slow
def test_a_job_starts_from_the_earlier_results_that_were_there_when_it_was_sent(place):
    earlier = ("benchmark=mine", "method=RS", "experiment_tag=first", "launcher=local", "num_gpus_per_trial=0")
    succeeded(place.hpo(*earlier))
    succeeded(place.launch("warm_start=[tag:first]"))
    shutil.rmtree(place.path / "outputs" / "first")
    directory = place.directory("t")
    place.wait_for(directory, Phase.COMPLETE)
    digest = hashlib.sha256((directory / "warm_start.jsonl").read_bytes()).hexdigest()
    assert load_experiment(directory).config.warm_start_sha256 == digest
    assert "0 different" in succeeded(place.verb("replay", "t"))


def test_a_job_that_waits_in_the_queue_is_submitted_once_and_can_be_stopped(place):
    directory = place.directory("t")
    succeeded(place.launch("+launcher.sbatch.hold=true"))
    job = place.record(directory)["job"]
    assert f"job {job} waiting JobHeldUser" in succeeded(place.verb("status", "t"))
    assert f"job {job} is waiting; nothing submitted" in succeeded(place.launch("+launcher.sbatch.hold=true"))
    succeeded(place.verb("stop", "t"))
    assert f"job {job} stopped" in succeeded(place.verb("status", "t"))
    assert place.jobs().count("t-RS-0") == 0


def test_an_experiment_decides_the_same_here_and_in_a_job(tmp_path, cluster):
    logs = []
    for launcher in ("local", "slurm"):
        place = Slurm(tmp_path / launcher).prepare(
            cluster, seconds=0.0, arguments={"diary": "diary", "epochs": 9}, n_workers=1, max_num_trials=6
        )
        place.path.mkdir(exist_ok=True)
        options = [*SMALL, "launcher.wait=true"] if launcher == "slurm" else ["grace_period_seconds=5"]
        command = ["benchmark=mine", "method=ASHA", "experiment_tag=t", "random_seed=7", *options]
        succeeded(place.hpo(*command, CUDA_VISIBLE_DEVICES="0"))
        logs.append(decisions(place.directory("t", "ASHA")))
    assert len(logs[0]) > 12
    assert logs[0] == logs[1]


def test_a_failed_experiment_says_why_and_is_submitted_again(tmp_path, cluster):
    place = Slurm(tmp_path).prepare(cluster, script="import sys\nsys.exit('no data here')\n")
    result = place.launch("launcher.wait=true")
    assert result.returncode == 1
    assert "no data here" in result.stdout
    first = place.record(place.directory("t"))["job"]
    assert f"job {first} failed" in succeeded(place.verb("status", "t"))
    place.write("train.py", SCRIPT)
    succeeded(place.launch("launcher.wait=true", "overwrite=true"))
    is_complete(place.directory("t"))


@pytest.mark.slow
def test_paths_with_spaces_quotes_and_dollars_reach_the_job_as_they_are(tmp_path, cluster):
    place = Slurm(tmp_path).prepare(cluster)
    folder = tmp_path / """it's "a" $HOME; `touch owned` dir"""
    folder.mkdir()
    place.write(f"{folder.name}/train.py", SCRIPT)
    command = place.command("benchmark=mine", "method=RS", "experiment_tag=t", "random_seed=7", *SMALL)
    comment = """+launcher.sbatch.comment="x'; touch owned; '$(touch owned)\""""
    here = Slurm(folder, place.environment)
    here.command = lambda *arguments: [*command, *arguments]
    succeeded(here.hpo("launcher.wait=true", comment))
    is_complete(here.directory("t"))
    assert not list(tmp_path.rglob("owned"))


def test_a_job_finds_a_function_in_the_working_directory_and_takes_nothing_called_hpo_from_there(place):
    place.write("hpo.py", "raise RuntimeError('not ours')")
    place.write(
        "mine.py", "def objective(config, report):\n    for epoch in (1, 2, 3):\n        report(epoch=epoch, loss=0.5)"
    )
    place.benchmark(script=..., function="mine:objective")
    succeeded(place.launch("launcher.wait=true"))
    _, rows = is_complete(place.directory("t"))
    assert len(rows) == 9


def test_the_working_directory_is_passed_over_only_where_it_has_another_hpo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shlex.split(submission.python()) == [sys.executable]
    (tmp_path / "hpo").mkdir()
    assert shlex.split(submission.python()) == [sys.executable]
    (tmp_path / "hpo" / "__init__.py").touch()
    assert shlex.split(submission.python()) == [sys.executable, "-P"]
    monkeypatch.chdir(Path(hpo.__file__).parents[1])
    assert shlex.split(submission.python()) == [sys.executable]


def test_only_a_function_s_name_and_two_paths_are_pickled(place):
    directory = place.directory("t")
    succeeded(place.launch("+launcher.sbatch.hold=true"))
    (pickle,) = directory.glob("slurm/*_submitted.pkl")
    texts = [argument for _, argument, _ in pickletools.genops(pickle.read_bytes()) if isinstance(argument, str)]
    ours = [text for text in texts if "submitit" not in text and text.isidentifier() is False]
    assert ours == ["hpo.slurm.job", str(directory / "request.yaml"), str(directory)]
    succeeded(place.verb("stop", "t"))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["launcher.partition=nope"], ["launcher.partition=nope", "main, urgent"]),
        (["launcher.cpus_per_task=99"], ["launcher.cpus_per_task=99", "4 CPUs"]),
        (["launcher.gpus=9"], ["launcher.gpus=gpu:9", "gpu:4"]),
        (["launcher.mem=99G"], ["launcher.mem=99G", "8000 MB"]),
        (["launcher.mem=lots"], ["launcher.mem=lots"]),
        (["+launcher.sbatch.foo=1"], ["launcher.sbatch.foo", "no such option"]),
        (["launcher.sbatch.constraint=zzz"], ["launcher.sbatch.constraint=zzz", "feature"]),
        (["launcher.sbatch.nodelist=zzz"], ["launcher.sbatch.nodelist=zzz", "node name"]),
    ],
    ids=lambda value: value[0] if "=" in value[0] else "",
)
def test_what_slurm_refuses_is_one_sentence_that_names_the_key(place, overrides, words):
    sentence = error_of(place.launch(*overrides))
    for word in words:
        assert word in sentence
    assert not (place.directory("t") / "launch.json").exists()


def test_where_no_node_has_the_cores_of_the_default_a_job_gets_a_node_s_share(place):
    """Two GPUs of four, on nodes of four cores."""
    result = place.launch("launcher.cpus_per_task=null")
    succeeded(result)
    assert result.stderr.count("no node has 8 cores for 2 GPU(s); the job gets 2") == 1
    directory = place.directory("t")
    assert place.cluster.call(
        "squeue", "-h", "-t", "all", "-o", "%C", "-j", place.record(directory)["job"]
    ).split() == ["2"]
    assert json.loads((directory / "request.json").read_text())["sbatch"]["cpus-per-task"] == 2
    place.wait_for(directory, Phase.COMPLETE)
    sentence = error_of(place.launch("launcher.cpus_per_task=8", tag="asked"))
    assert "launcher.cpus_per_task=8" in sentence, "what the user asks for is not lowered"


def test_a_session_ended_by_its_time_limit_is_requeued_until_the_experiment_is_complete(overtime):
    directory = overtime.directory("overtime")
    wait_until(lambda: read_note(directory).get("restarts", 0) >= 1, 100, "the second session")
    overtime.hurry()
    overtime.wait_for(directory, Phase.COMPLETE)
    experiment, rows = is_complete(directory)
    assert rows == {(trial, epoch) for trial in range(2) for epoch in range(1, 77)}
    restarts = read_note(directory)["restarts"]  # the second session may have been warned before it was hurried
    assert sum(event.kind == Kind.OPENED for event in experiment.events) == restarts + 1
    graces = [entry["trial"] for entry in overtime.diary() if "grace" in entry]
    assert sorted(graces) == sorted([0, 1] * restarts), "each had its grace each time"
    assert sorted(graces[:2]) == [0, 1]


# What follows needs no Slurm.


@pytest.fixture
def lone(tmp_path):
    """A working directory on a machine without Slurm."""
    (tmp_path / "bin").mkdir()
    return Slurm(tmp_path, {"PATH": str(tmp_path / "bin")}).prepare()


def pretend(place, monkeypatch, output, code=0, program="squeue"):
    """A program of Slurm's on this machine that says so."""
    stream = ">&2" if code else ""
    place.write(f"bin/{program}", f"#!/bin/sh\necho '{output}' {stream}\nexit {code}\n", 0o755)
    monkeypatch.setenv("PATH", str(place.path / "bin"))


def test_a_dry_run_shows_and_stores_the_request_and_needs_no_slurm(lone):
    out = succeeded(lone.launch("launcher.dry_run=true", "launcher.partition=long"))
    directory = lone.directory("t")
    request = json.loads((directory / "request.json").read_text())
    assert json.loads(out[out.index("{") :]) == request
    assert request["command"] == [sys.executable, "-m", "hpo.remote", str(directory / "request.yaml"), str(directory)]
    assert request["sbatch"] == {
        "job-name": "t-RS-0",
        "chdir": str(lone.path),
        "nodes": 1,
        "ntasks-per-node": 1,
        "cpus-per-task": 1,
        "time": 240,
        "signal": "B:USR2@65",
        "requeue": True,
        "partition": "long",
        "gres": "gpu:2",
    }
    assert [path.name for path in directory.iterdir()] == ["request.json"]


def test_without_slurm_one_sentence_says_where_to_run_it(lone):
    sentence = error_of(lone.launch())
    assert "sbatch not found" in sentence
    assert "login node" in sentence


def make(tmp_path, settings=None, **overrides):
    experiment = resolve(load_config("mlp_digits", "RS", experiment_tag="a-b", **overrides))
    return SlurmLauncher(**(settings or {})).request(experiment, tmp_path)["sbatch"]


@pytest.mark.parametrize(
    ("settings", "overrides", "expected"),
    [
        ({}, {"n_workers": 3}, {"cpus-per-task": 3, "gres": None}),
        ({}, {"n_workers": 3, "num_gpus_per_trial": 2}, {"cpus-per-task": 24, "gres": "gpu:6"}),
        ({"gpus": 4}, {"n_workers": 3, "num_gpus_per_trial": 2}, {"cpus-per-task": 16, "gres": "gpu:4"}),
        ({"gpus": "a100:2"}, {"num_gpus_per_trial": 1}, {"cpus-per-task": 8, "gres": "gpu:a100:2"}),
        ({"sbatch": {"gpus_per_node": 2}}, {"num_gpus_per_trial": 1}, {"gres": None, "gpus-per-node": 2}),
        ({"sbatch": {"gres": "gpu:1,tmpfs:9"}}, {"num_gpus_per_trial": 1}, {"gres": "gpu:1,tmpfs:9"}),
        (
            {"sbatch": {"exclusive": True, "mail_type": ["END", "FAIL"]}},
            {},
            {"exclusive": True, "mail-type": "END,FAIL"},
        ),
        ({"sbatch": {"exclusive": False}}, {}, {"exclusive": None}),
        ({}, {"grace_period_seconds": 0.5}, {"signal": "B:USR2@61"}),
        ({"signal_delay_s": 7, "mem": "3G"}, {}, {"signal": "B:USR2@7", "mem": "3G"}),
    ],
)
def test_the_job_gets_what_its_workers_need_together(tmp_path, settings, overrides, expected):
    made = make(tmp_path / "absent", settings, **overrides)
    assert {key: made.get(key) for key in expected} == expected
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize(
    ("settings", "overrides", "words"),
    [
        ({"timeout_min": 0}, {}, "launcher.timeout_min=0: use a positive"),
        ({"timeout_min": 1}, {}, "launcher.timeout_min=1: the job would be interrupted 90 s before"),
        ({"cpus_per_task": 1.5}, {}, "launcher.cpus_per_task=1.5"),
        ({"gpus": "many"}, {}, "launcher.gpus=many"),
        ({"gpus": 1}, {"num_gpus_per_trial": 2}, "launcher.gpus=1: a trial needs num_gpus_per_trial=2"),
        ({}, {"gpus_to_use": [0]}, r"gpus_to_use=\[0\]: Slurm chooses the devices"),
        ({"sbatch": {"partition": "p"}}, {}, "launcher.sbatch.partition=p: use launcher.partition"),
        ({"sbatch": {"array": "1-9"}}, {}, "launcher.sbatch.array=1-9: hpo sets this option itself"),
        ({"sbatch": {"a b": 1}}, {}, "launcher.sbatch.a b: use the long name"),
        ({"sbatch": {"comment": "x\ntouch owned"}}, {}, "comment='x.ntouch owned': Slurm takes no line breaks"),
        ({"partition": "x\ntouch owned"}, {}, "partition='x.ntouch owned': Slurm takes no line breaks"),
    ],
)
def test_a_request_that_cannot_be_meant_is_one_sentence(tmp_path, settings, overrides, words):
    with pytest.raises(ConfigError, match=words):
        make(tmp_path, settings, **overrides)


def test_a_directory_whose_name_slurm_would_change_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="replaces %"):
        make(tmp_path / "50%j")


@pytest.mark.parametrize(
    ("squeue", "code", "note", "phase"),
    [
        ("PENDING|Priority||n", 0, {}, "waiting Priority"),
        ("RUNNING|None|n1|n", 0, {"phase": "running"}, "running on n1"),
        ("COMPLETING|None|n1|n", 0, {"phase": "complete", "exit_code": 0}, "complete"),
        ("RUNNING|None|n1|n", 0, {"phase": "complete", "exit_code": 0}, "complete"),  # its process has yet to end
        ("COMPLETING|None|n1|n", 0, {"phase": "running"}, "running on n1"),
        ("CANCELLED|None||n", 0, {"phase": "interrupted", "detail": "by Slurm"}, "stopped by scancel"),
        ("OUT_OF_MEMORY|None||n", 0, {"phase": "running"}, "failed out of memory; give launcher.mem more"),
        ("TIMEOUT|None||n", 0, {"phase": "running"}, "interrupted timeout"),
        ("NODE_FAIL|None||n", 0, {}, "interrupted node_fail"),
        ("FAILED|None||n", 0, {}, "failed see"),
        ("RUNNING|None|n1|somebody-else-s", 0, {"phase": "complete"}, "complete"),
        ("slurm_load_jobs error: Invalid job id specified", 1, {"phase": "complete"}, "complete"),
        ("slurm_load_jobs error: Invalid job id specified", 1, {"phase": "running"}, "interrupted Slurm has forgotten"),
        ("slurm_load_jobs error: Invalid job id specified", 1, {}, "interrupted Slurm has forgotten"),
        ("Unable to contact slurm controller", 1, {"phase": "running"}, "unknown"),
        ("Unable to contact slurm controller", 1, {"phase": "stopped", "detail": "d"}, "stopped d"),
    ],
)
def test_where_a_job_is(lone, monkeypatch, squeue, code, note, phase):
    pretend(lone, monkeypatch, squeue, code)
    if note:
        write_note(lone.path, job="5", **note)
    state = job_state({"job": "5", "name": "n", "directory": str(lone.path)})
    assert f"{state.phase} {state.detail}".startswith(phase)


@pytest.mark.parametrize(
    ("squeue", "code", "fruitless", "phase"),
    [
        ("RUNNING|None|n1|n", 0, 0, Phase.COMPLETE),
        ("RUNNING|None|n1|n", 1, 0, Phase.FAILED),
        ("RUNNING|None|n1|n", 143, 0, Phase.WAITING),
        ("RUNNING|None|n1|n", 143, FRUITLESS, Phase.FAILED),
        ("COMPLETING|None|n1|n", 143, 0, Phase.INTERRUPTED),
        ("RUNNING|None|n1|n", 130, 0, Phase.STOPPED),
    ],
)
def test_what_becomes_of_a_job_after_a_session(lone, monkeypatch, squeue, code, fruitless, phase):
    pretend(lone, monkeypatch, squeue)
    assert _conclude(lone.path, "5", code, fruitless)[0] == phase


NODES = """8 gpu:a100:4(S:0,1)
64 gpu:v100:2(S:0),gpu:a100:2(S:1),tmpfs:9
2 gpu:8
128 (null)"""


@pytest.mark.parametrize(
    ("gres", "gpus", "asked", "expected"),
    [
        ("gpu:4", 4, 65, [64, 8, 1]),
        ("gpu:4", 4, 16, [8, 1]),
        ("gpu:a100:2", 2, 8, [4]),
        ("gpu:a100:2", 2, 999, [64, 4]),
        ("gpu:9", 9, 36, []),
        (None, 8, 32, [2]),
    ],
)
def test_the_shares_of_nodes_are_of_those_that_have_the_gpus(lone, monkeypatch, gres, gpus, asked, expected):
    pretend(lone, monkeypatch, NODES, program="sinfo")
    assert shares({"cpus-per-task": asked, **({} if gres is None else {"gres": gres})}, gpus) == expected


@pytest.mark.parametrize(
    ("most", "lower", "expected"), [(16, True, 16), (9, True, 8), (0, True, None), (9, False, None)]
)
def test_cores_are_lowered_as_far_as_slurm_wants_and_only_those_of_the_default(
    lone, monkeypatch, caplog, most, lower, expected
):
    pretend(lone, monkeypatch, NODES, program="sinfo")

    def refusing(request, _kept):
        if request["sbatch"]["cpus-per-task"] > most:
            raise TooLargeError(f"{request['sbatch']['cpus-per-task']} are too many")
        return str(request["sbatch"]["cpus-per-task"])

    monkeypatch.setattr(submission, "_sbatch", refusing)
    request = {"sbatch": {"cpus-per-task": 16, "gres": "gpu:4"}}
    if expected is None:
        with pytest.raises(TooLargeError, match="16 are too many"):
            submission.queue(request, lone.path / "request.json", lower=lower)
    else:
        assert submission.queue(request, lone.path / "request.json", lower=lower) == str(expected)
    assert len(caplog.messages) == (expected == 8)


DROPPED = """
import signal, sys, weakref
from hpo.slurm import job as slurm_job
class Thing:
    pass
function, number, *paths = sys.argv[1:]
real = getattr(slurm_job, function)
def while_it_imports(*arguments):
    thing = Thing()
    callback = weakref.ref(thing, lambda _: signal.raise_signal(int(number)))
    del thing  # what such a callback raises is dropped, and so it is in the one of the import system
    return real(*arguments)
setattr(slurm_job, function, while_it_imports)
slurm_job.work(*paths)
"""


@pytest.mark.parametrize("function", ["_reports", "_run"])
@pytest.mark.parametrize(
    ("number", "code", "phase"),
    [
        (signal.SIGINT, 130, Phase.STOPPED),
        (signal.SIGTERM, 143, Phase.INTERRUPTED),
        (signal.SIGUSR2, 143, Phase.INTERRUPTED),
    ],
)
def test_a_signal_that_was_dropped_while_the_job_imports_ends_it_in_order(
    lone, monkeypatch, function, number, code, phase
):
    pretend(lone, monkeypatch, "COMPLETING|None|n1|n")  # Slurm has requeued or cancelled it already
    directory = lone.path / "e"
    directory.mkdir()
    lone.write("request.yaml", to_yaml(resolve(load_config(lone.benchmark(num_gpus_per_trial=0), "RS", random_seed=1))))
    done = subprocess.run(
        [sys.executable, "-c", DROPPED, function, str(int(number)), str(lone.path / "request.yaml"), str(directory)],
        env={**os.environ, "SLURM_JOB_ID": "5"}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "Exception ignored" in done.stderr, "nothing was dropped"
    assert done.returncode == code, done.stderr
    assert read_note(directory)["phase"] == phase
    if (directory / "events.db").exists():
        assert not load_experiment(directory).state.trials


def test_what_has_failed_is_submitted_again_only_to_retry_what_failed(lone, monkeypatch):
    directory = lone.path / "e"
    keys = {"random_seed": 1, "launcher": {"_target_": "hpo.slurm.SlurmLauncher"}}
    benchmark = lone.benchmark(num_gpus_per_trial=0, script=..., command=["sh", "-c", "exit 3"], max_num_trials=2)
    experiment = resolve(load_config(benchmark, "RS", **keys))
    run_experiment(experiment, directory)
    monkeypatch.setattr(submission, "_sbatch", lambda *_: "5")
    launcher = SlurmLauncher()
    with pytest.raises(ExperimentError, match=r"no finite loss .*retry=failed.*/hpo\.log"):
        launcher.submit(experiment, directory, launcher.request(experiment, directory))
    again = resolve(load_config(benchmark, "RS", **keys, retry="failed"))
    assert launcher.submit(again, directory, launcher.request(again, directory))["job"] == "5"


def test_overwriting_lets_no_second_command_submit_beside_the_first(lone, monkeypatch):
    settings = {"_target_": "hpo.slurm.SlurmLauncher"}
    directory = lone.path / "e"
    experiment = resolve(load_config(lone.benchmark(num_gpus_per_trial=0), "RS", random_seed=1, launcher=settings))
    run_experiment(experiment, directory)

    def submitted(*_):
        with (directory / ".launch.lock").open("a") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return "5"

    monkeypatch.setattr(submission, "_sbatch", submitted)
    launcher = SlurmLauncher()
    again = resolve(load_config(lone.benchmark(num_gpus_per_trial=0), "RS", random_seed=1, overwrite=True))
    assert launcher.submit(again, directory, launcher.request(again, directory))["job"] == "5"
    assert not (directory / "events.db").exists(), "it was not overwritten"
