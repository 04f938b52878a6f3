"""Trials as jobs of a SageMaker that really runs them: tests/support/fake_sagemaker.py, our reading of the service."""

import zlib

import pytest

import hpo
from hpo.backends.backend_choice import check_backend, open_backend
from hpo.config.reading import resolve
from hpo.errors import ConfigError, HPOError
from hpo.events.state import ExperimentState
from hpo.events.types import Exit, Kind, Placed, Report, Trial
from hpo.schedulers.construction import scheduler_of
from hpo.schedulers.replay import verify
from hpo.store.directory import ExperimentDirectory
from tests.backends.test_backends import SCRIPT
from tests.conftest import Workplace, succeeded
from tests.reliability.test_kill import decisions
from tests.sagemaker.conftest import service  # noqa: F401  fixture
from tests.sagemaker.test_launcher import needs_service
from tests.support import backend_contract
from tests.support.backend_contract import BackendContract, listen, resources
from tests.support.fake_sagemaker import SETTINGS, forget_clients

pytestmark = [*needs_service, pytest.mark.process]

LOCAL = "hpo.backends.local.LocalBackend"
TARGET = "hpo.sagemaker.SageMakerBackend"


def config_of(folder, script=SCRIPT, *, method="RS", backend=(), arguments=(), **keys):
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
    if "_target_" in dict(backend):
        spec = dict(backend)
    return resolve(hpo.load_config(benchmark, method, backend=spec, **keys))


@pytest.fixture(scope="module")
def account(service):  # noqa: F811
    """The fake as this process's AWS, empty at first."""
    service.control("reset")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend_contract, "PATIENCE", 120.0)  # a job takes seconds to begin, on a busy machine many
        for name, value in service.environment.items():
            patch.setenv(name, value)
        forget_clients()
        yield service
    forget_clients()


@pytest.fixture
def tag(request):
    """What tells the experiment of a test from those before it."""
    return f"t{zlib.crc32(request.node.name.encode()):08x}"


class TestSageMaker(BackendContract):
    @pytest.fixture
    def backend(self, account, tmp_path, tag):
        made = open_backend(config_of(tmp_path, experiment_tag=tag), ExperimentDirectory(tmp_path / "experiment"))
        yield made
        made.kill()
        made.close()

    @pytest.fixture
    def configuration(self):
        return {"x": 0.5}


@pytest.fixture
def empty(account):
    """The account with its usual settings, and none of its jobs at work."""
    yield account
    account.control("set", **{key: SETTINGS[key] for key in ("quota", "deny", "throttle", "lose", "s3", "stop_grace")})


def different(experiment):
    """Decisions of the log that a fresh scheduler makes otherwise."""
    state, count = ExperimentState(experiment.config.objective), [0]
    found = list(verify(scheduler_of(experiment.config), state, enumerate(experiment.events, 1), count))
    assert count[0] > 0
    return found


def run(config, directory):
    """An experiment to its end."""
    outcome = hpo.run_experiment(config, directory)
    assert outcome.reason is not None
    return hpo.load_experiment(directory)


def jobs_of(account, tag):
    return sorted(name for name in account.jobs() if name.startswith(f"{tag}-"))


def test_one_worker_decides_as_a_local_run_does_and_each_attempt_has_a_job(account, tmp_path):
    keys = {"max_num_trials": 3, "n_workers": 1, "experiment_tag": "one"}
    there = run(config_of(tmp_path, method="ASHA", **keys), tmp_path / "there")
    here = run(
        config_of(tmp_path, method="ASHA", backend={"name": "local", "_target_": LOCAL}, **keys), tmp_path / "here"
    )
    assert decisions(tmp_path / "there") == decisions(tmp_path / "here")
    assert different(there) == []
    attempts = [(e.trial, e.attempt) for e in there.events if e.kind == Kind.ENDED]
    assert len(attempts) > len(here.state.trials), "some trial was to be resumed"
    names = jobs_of(account, "one")
    assert sorted(tuple(int(word) for word in name.split("-")[-2:]) for name in names) == sorted(attempts)
    for trial, attempt in attempts:
        folder = f"trials/{trial}/attempt_{attempt}"
        assert (tmp_path / "there" / folder / "reports.jsonl").read_bytes() == (
            tmp_path / "here" / folder / "reports.jsonl"
        ).read_bytes()
    calls = account.control("calls")
    assert "ListTrainingJobs" not in calls


def notes(experiment):
    return [event.body["text"] for event in experiment.events if event.kind == Kind.NOTED]


def ends(experiment):
    return [(e.trial, e.attempt, e.body["status"]) for e in experiment.events if e.kind == Kind.ENDED]


@pytest.mark.slow
def test_trials_wait_while_the_quota_is_used_up_and_that_is_said_once(account, empty, tmp_path, caplog):
    account.control("set", quota=1)
    config = config_of(tmp_path, n_workers=2, max_num_trials=2, arguments={"epochs": 2}, experiment_tag="quota")
    experiment = run(config, tmp_path / "e")
    assert [status for *_, status in ends(experiment)] == ["completed"] * 2
    assert account.control("calls")["limited"] >= 1
    assert len([record for record in caplog.records if "waiting for room" in record.message]) == 1


SLOWLY = SCRIPT.replace("time.sleep(0.02)", "time.sleep(0.4)")


@pytest.mark.slow
def test_time_stands_still_while_no_trial_has_a_job(account, empty, tmp_path):
    account.control("set", quota=0)
    backend = open_backend(config_of(tmp_path, experiment_tag="still"), ExperimentDirectory(tmp_path / "e"))
    account.control("set", quota=1)
    other = open_backend(config_of(tmp_path, SLOWLY, experiment_tag="other"), ExperimentDirectory(tmp_path / "o"))
    try:
        other.start(Trial(0, {"x": 0.5}), 0, None)
        while not any(isinstance(event, Placed) for event in other.wait(1.0)):
            pass
        backend.start(Trial(0, {"x": 0.5}), 0, 2)
        while not backend.waiting_for_capacity:
            backend.wait(0.1)
        before = backend.clock()
        assert (backend.capacity, backend.holds(0)) == (0, True)
        backend.wait(0.5)
        assert backend.clock() == before
        other.stop(0)
        listen(other)
        *_, end = listen(backend)
        assert end.exit_code == 0
        assert before < backend.clock()
        assert not backend.waiting_for_capacity
    finally:
        for one in (backend, other):
            one.kill()
            one.close()


@pytest.mark.parametrize(
    ("settings", "keys", "sentence"),
    [
        ({}, {"bucket": None}, r"^backend\.bucket: it is missing; name a bucket .*backend\.bucket=my-bucket"),
        ({}, {"role": None}, r"^backend\.role: it is missing"),
        ({}, {"bucket": "nobodys"}, r"^backend\.bucket=nobodys: there is no such bucket"),
        ({}, {"role": "arn:aws:iam::123456789012:role/nobody"}, r"^backend\.role=.*: there is no such role"),
        ({"quota": 0}, {}, r"backend\.instance_type=ml\.c5\.xlarge: this account's quota is 0; request"),
        ({"deny": ["CreateTrainingJob"]}, {}, r"^one-sentence-RS-0-.{4}-0-0: access denied .*CreateTrainingJob"),
        ({}, {"poll_seconds": 0.01}, r"^backend\.poll_seconds=0\.01: use a number from"),
        ({}, {"silence_seconds": 0}, r"^backend\.silence_seconds=0: use a number from"),
        ({}, {"buckets": "b"}, r"backend\.buckets.*bucket"),
        ({}, {"spot": True, "keep_alive": 60}, r"^backend\.keep_alive: a warm pool cannot be had with backend\.spot"),
    ],
)
def test_what_cannot_run_is_one_sentence_and_no_job(account, empty, tmp_path, settings, keys, sentence):
    account.control("set", **settings)
    forget_clients()
    with pytest.raises(HPOError, match=sentence):
        hpo.run_experiment(config_of(tmp_path, backend=keys, experiment_tag="one-sentence"), tmp_path / "e")
    assert jobs_of(account, "one-sentence") == []
    if (tmp_path / "e" / "events.db").exists():  # the service is asked for a job only when there is a trial
        assert not hpo.load_experiment(tmp_path / "e").state.running, "none is said to run that never did"


def test_devices_and_data_of_this_machine_are_refused(account, tmp_path):
    with pytest.raises(ConfigError, match=r"^gpus_to_use=\[0\]: with backend=sagemaker .*; drop the key"):
        check_backend(config_of(tmp_path, gpus_to_use=[0]))
    with pytest.raises(ConfigError, match=r"^benchmark\.data=/data: a job sees nothing of this machine's disk"):
        check_backend(config_of(tmp_path, **{"benchmark.data": "/data"}))


PRINTING = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--x"); parser.add_argument("--epochs", type=int)
a = parser.parse_args()
for epoch in range(1, a.epochs + 1):
    print("some other line", flush=True)
    print(FORM % (epoch, 1 / epoch), flush=True)
"""


@pytest.mark.parametrize(
    ("channel", "form", "more"),
    [
        ("syne_tune", '[tune-metric]: {"epoch": %d, "loss": %f}', {}),
        pytest.param(
            "stdout",
            "epoch %d: loss=%f",
            {"patterns": {"epoch": r"epoch (\d+)", "loss": r"loss=(\S+)"}},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_programs_that_print_are_read_there_as_here(account, tmp_path, channel, form, more):
    script = PRINTING.replace("FORM", repr(form))
    keys = {"benchmark.report_channel": channel, **{f"benchmark.{name}": value for name, value in more.items()}}
    config = config_of(
        tmp_path, script, max_num_trials=1, experiment_tag=channel.replace("_", "-"), arguments={"epochs": 3}, **keys
    )
    experiment = run(config, tmp_path / "e")
    assert [e.resource for e in experiment.events if e.kind == Kind.REPORTED] == [1, 2, 3]
    assert (tmp_path / "e" / "trials" / "0" / "attempt_0" / "stdout.log").read_text().count("some other line") == 3


FAILING = """
import sys
import hpo
hpo.report(epoch=1, loss=1.0)
raise ValueError("this script is wrong")
"""


def test_a_script_that_fails_says_why_here(account, tmp_path):
    experiment = run(config_of(tmp_path, FAILING, max_num_trials=1, experiment_tag="wrong"), tmp_path / "e")
    (end,) = (event for event in experiment.events if event.kind == Kind.ENDED)
    assert (end.body["status"], end.body["where"]) == ("failed", "train.py:5")
    assert end.body["error"].endswith("ValueError: this script is wrong")
    assert "ValueError" in (tmp_path / "e" / "trials" / "0" / "attempt_0" / "stderr.log").read_text()
    (name,) = jobs_of(account, "wrong")
    assert account.describe(name)["FailureReason"] == "AlgorithmError: trial 0: ValueError: this script is wrong"


@pytest.fixture
def opened(account, tmp_path, tag):
    """Opens backends whose jobs are ended with the test."""
    made = []

    def open_one(script=SCRIPT, folder="e", **keys):
        made.append(
            open_backend(
                config_of(tmp_path, script, experiment_tag=tag, **keys), ExperimentDirectory(tmp_path / folder)
            )
        )
        return made[-1]

    yield open_one
    for backend in made:
        backend.kill()
        backend.close()


def listen_until(backend, count):
    """Events up to the `count`-th report."""
    events = []
    while len(resources(events)) < count:
        events += backend.wait(1.0)
        assert not any(isinstance(event, Exit) for event in events)
    return events


@pytest.mark.parametrize("hard", [pytest.param(False, marks=pytest.mark.slow), True])
def test_an_attempt_whose_machine_is_taken_away_is_lost_and_the_next_goes_on_from_what_was_saved(
    account, opened, tag, hard
):
    backend, trial = opened(SLOWLY), Trial(0, {"x": 0.5})
    backend.start(trial, 0, None)
    events = listen_until(backend, 2)
    account.control("interrupt", job=jobs_of(account, tag)[0], hard=hard)
    events += listen(backend)
    assert (events[-1].lost, events[-1].exit_code) == (True, None)
    heard = resources(events)[-1]
    backend.start(trial, 1, heard + 2)
    again = resources(listen(backend))
    # The last checkpoint may be some epochs old; with a warning it is of the last epoch, or of one saved and not said.
    assert hard or again[0] in (heard + 1, heard + 2)
    assert again == list(range(again[0], heard + 3))


def test_a_trial_that_is_stopped_saves_and_goes_on_where_it_was(opened):
    backend, trial = opened(SLOWLY), Trial(0, {"x": 0.5})
    backend.start(trial, 0, None)
    events = listen_until(backend, 2)
    backend.stop(0)
    events += listen(backend)
    assert (events[-1].signal, events[-1].lost) == (15, False)
    assert backend.has_checkpoint(0)
    last = resources(events)[-1]
    backend.start(trial, 1, last + 2)
    assert resources(listen(backend)) == [last + 1, last + 2]


@pytest.mark.slow
def test_a_job_that_cannot_begin_says_why(opened, tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "requirements.txt").write_text("there-is-no-such-package==7\n")
    backend = opened()
    backend.start(Trial(0, {"x": 0.5}), 0, 2)
    *_, end = listen(backend)
    assert end.exit_code == 1
    assert end.error.startswith("AlgorithmError: the requirements could not be installed")


def test_reports_arrive_once_while_s3_and_the_service_fail_now_and_then(account, empty, opened, tag):
    faulty = [{"match": "/live/", "fault": "InternalError", "rate": 0.3, "methods": ["GET", "PUT"]}]
    account.control("set", s3=faulty, throttle=0.3, lose=0.3)
    backend = opened()
    backend.start(Trial(0, {"x": 0.5}), 0, 4)
    *events, end = listen(backend)
    assert (resources(events), end.exit_code) == ([1, 2, 3, 4], 0)
    assert len(jobs_of(account, tag)) == 1


@pytest.mark.slow
def test_a_session_after_another_reads_on_from_where_its_log_stands(opened):
    trial = Trial(0, {"x": 0.5})
    first = opened(SLOWLY)
    first.start(trial, 0, 4)
    events = listen_until(first, 2)
    known = next(event for event in events if isinstance(event, Report))
    first._attempts._by_name.clear()  # as if it were killed: nothing of its jobs is stopped
    first._attempts._by_trial.clear()
    second = opened(SLOWLY)
    assert second.adopt(trial, 0, 4, known.position)
    events = listen(second)
    assert resources(events) == [2, 3, 4]
    assert not any(isinstance(event, Placed) for event in events)


@pytest.mark.slow
def test_the_tuner_can_be_a_job_itself_and_its_trials_have_the_keys_of_its_launcher(account, tmp_path):
    place = Workplace(tmp_path)
    place.benchmark(instance_type="ml.c5.4xlarge", max_num_trials=1, max_wallclock_time=..., arguments={"epochs": 2})
    keys = ("backend.poll_seconds=0.2", "backend.instance_type=ml.c5.xlarge", "experiment_tag=nested", "method=RS")
    given = account.overrides(instance_type="ml.m5.large")
    succeeded(place.hpo("benchmark=mine", "backend=sagemaker", *keys, *given))
    account.wait(120, count=2)
    succeeded(place.verb("sync", "nested"))
    experiment = hpo.load_experiment(place.directory("nested"))
    assert [e.resource for e in experiment.events if e.kind == Kind.REPORTED] == [1, 2]
    machines = {
        name: account.describe(name)["ResourceConfig"]["InstanceType"] for name in account.jobs() if "nested" in name
    }
    assert sorted(machines.values()) == ["ml.c5.xlarge", "ml.m5.large"]


def test_an_attempt_that_another_backend_has_begun_is_lost_and_not_mixed_with_a_job(opened, tmp_path):
    begun = ExperimentDirectory(tmp_path / "e").attempt(0, 0)
    begun.mkdir(parents=True)
    (begun / "reports.jsonl").write_text('{"epoch": 1, "loss": 1.0}\n')
    backend = opened()
    assert backend.adopt(Trial(0, {"x": 0.5}), 0, None, 0)
    *events, end = listen(backend)
    assert (resources(events), end.lost) == ([1], True)
