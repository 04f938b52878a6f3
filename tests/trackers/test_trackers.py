"""Trackers: what each tool reads back is what the event store says; live and afterwards alike."""

import importlib.util
import json
import math
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hpo import load_experiment
from hpo.errors import ConfigError
from hpo.events.types import Kind, Status
from hpo.trackers import MLflow, TensorBoard, Trackio, TrialTracker, WandB
from hpo.trackers.base import AttemptEnd, numbers_of, replay
from tests.conftest import error_of, succeeded
from tests.support import fronts
from tests.support.steps import STEPS, run_steps

pytestmark = pytest.mark.process

BENCHMARK = {**STEPS, "max_num_trials": 5}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """One real ASHA experiment with promotions, for all tests of this module."""
    return run_steps(tmp_path_factory.mktemp("work"), BENCHMARK)


def curves_of(directory):
    """{trial: [(epoch, loss), …]} and {trial: configuration}, with plain sqlite3."""
    database = sqlite3.connect(f"{(directory / 'events.db').as_uri()}?mode=ro", uri=True)
    curves, configurations = {}, {}
    for trial, kind, resource, body in database.execute("SELECT trial, kind, resource, body FROM events ORDER BY seq"):
        if kind == "started":
            configurations[trial] = json.loads(body)["configuration"]
        elif kind == "reported":
            curves.setdefault(trial, []).append((resource, json.loads(body)["metrics"]["loss"]))
    database.close()
    return curves, configurations


class Recorder(TrialTracker):
    """Notes what it is told; needs no package."""

    package, extra = "json", "none"

    def __init__(self, config, directory):
        super().__init__(config, directory)
        self.calls = []
        self.best = {}

    def begin(self, trial_id, configuration, time, again):
        self.calls.append(("begin", trial_id, again))

    def log(self, trial_id, metrics, resource, time):
        self.calls.append(("log", trial_id, resource))

    def end(self, trial_id, ending):
        self.calls.append(("end", trial_id, ending.status))
        self.best[trial_id] = dict(ending.best)


# ---------------------------------------------------------------------- runs of trials


def test_a_trial_is_begun_logged_and_ended_as_often_as_it_is_trained(directory):
    experiment = load_experiment(directory)
    recorder = Recorder(experiment.config, directory)
    replay(recorder, experiment.events)
    started = [event.trial for event in experiment.events if event.kind == Kind.STARTED]
    assert [trial for kind, trial, again in recorder.calls if kind == "begin" and not again] == started
    assert ("begin", experiment.best["trial_id"], True) in recorder.calls, "it was promoted"
    open_runs = set()
    for kind, trial, _ in recorder.calls:
        assert (trial in open_runs) == (kind != "begin")
        open_runs ^= {trial} if kind != "log" else set()
    assert open_runs == set()
    ends = [event for event in experiment.events if event.kind == Kind.ENDED]
    last = {event.trial: event.body["status"] for event in ends}
    assert {trial: status for kind, trial, status in recorder.calls if kind == "end"} == last
    assert sum(call[0] == "log" for call in recorder.calls) == experiment.state.reports


def test_what_is_open_at_the_end_is_closed_as_interrupted(directory):
    experiment = load_experiment(directory)
    recorder = Recorder(experiment.config, directory)
    first = next(i for i, event in enumerate(experiment.events) if event.kind == Kind.REPORTED)
    replay(recorder, experiment.events[: first + 1])
    assert recorder.calls[-1][0] == "end"
    assert {call[2] for call in recorder.calls if call[0] == "end"} == {Status.INTERRUPTED}


def test_numbers_are_told_from_the_rest():
    metrics = {"a": 1, "b": 2.5, "c": True, "d": "x", "e": [1], "f": None, "g": float("nan"), "h": 10**400}
    found = numbers_of(metrics)
    assert {name: value for name, value in found.items() if name != "g"} == {"a": 1.0, "b": 2.5}
    assert math.isnan(found["g"])


@pytest.mark.parametrize(
    ("tracker", "package"), [(TensorBoard, "tensorboard"), (MLflow, "mlflow"), (WandB, "wandb"), (Trackio, "trackio")]
)
def test_a_missing_package_is_one_sentence_that_names_the_extra(directory, tracker, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)  # importing it is an ImportError now
    with pytest.raises(ConfigError, match=rf"needs the package {package} .*pip install -e '\.\[{package}\]'"):
        tracker(load_experiment(directory).config, directory)


def test_loading_the_trackers_loads_none_of_their_packages():
    code = "import sys, hpo.trackers; print(sorted({'mlflow', 'wandb', 'trackio', 'tensorboard'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------------- tensorboard


def curves_in(folder):
    """What TensorBoard's own accumulator reads."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    curves = {}
    for path in folder.glob("trial_*"):
        accumulator = EventAccumulator(str(path), size_guidance={"tensors": 0})
        accumulator.Reload()
        points = [
            (event.step, tensor_util.make_ndarray(event.tensor_proto).item()) for event in accumulator.Tensors("loss")
        ]
        curves[int(path.name.removeprefix("trial_"))] = points
    return curves


def sessions_in(folder, metric="loss"):
    """What TensorBoard's HParams plugin makes of the folder."""
    from tensorboard import context
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

    multiplexer = plugin_event_multiplexer.EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(folder))
    backend = backend_context.Context(base_plugin.TBContext(data_provider=provider))
    column = api_pb2.ColParams(metric=api_pb2.MetricName(tag=metric))
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0, slice_size=1000, allowed_statuses=[0, 1, 2, 3], col_params=[column]
    )
    return list_session_groups.Handler(context.RequestContext(), backend, "", request).run().session_groups


def test_with_several_objectives_each_has_the_best_of_what_meets_the_constraints(tmp_path):
    table = fronts.table(tmp_path)
    bounds = {"speed": {"lower": 4.0}}
    fronts.run(tmp_path / "outputs", table, "RS", objectives=fronts.THREE, trials=12, constraints=bounds)
    experiment = load_experiment(tmp_path / "outputs" / "t" / "fronts" / "RS" / "seed_0")
    recorder = Recorder(experiment.config, experiment.directory)
    replay(recorder, experiment.events)
    reports = experiment.reports
    for trial, best in recorder.best.items():
        own = reports[(reports.trial_id == trial) & (reports.speed >= 4.0) & reports.error.notna()]
        expected = {"error": own.error.min(), "speed": own.speed.max(), "size": own["size"].min()}
        assert best == (expected if len(own) else {})
    assert {} in recorder.best.values()
    assert any(recorder.best.values())


def test_tensorboard_reads_every_curve_in_full_precision(directory, tmp_path):
    experiment = load_experiment(directory)
    replay(TensorBoard(experiment.config, directory, tmp_path), experiment.events)
    assert curves_in(tmp_path) == curves_of(directory)[0]


def test_a_curve_of_many_attempts_within_one_second_is_read_in_order(directory, tmp_path):
    experiment = load_experiment(directory)
    tracker = TensorBoard(experiment.config, directory, tmp_path)
    for epoch in range(1, 13):
        tracker.begin(0, experiment.state.trials[0].trial.configuration, 1.0, again=epoch > 1)
        tracker.log(0, {"loss": 1 / epoch}, epoch, 1.0)
        tracker.end(0, AttemptEnd(Status.PAUSED, {"loss": 1 / epoch}, 1.0))
    assert curves_in(tmp_path) == {0: [(epoch, 1 / epoch) for epoch in range(1, 13)]}


def test_the_hparams_plugin_reads_trials_hyperparameters_and_the_last_metric(directory, tmp_path):
    experiment = load_experiment(directory)
    replay(TensorBoard(experiment.config, directory, tmp_path), experiment.events)
    curves, configurations = curves_of(directory)
    groups = {int(group.name.removeprefix("trial_")): group for group in sessions_in(tmp_path)}
    assert set(groups) == set(configurations)
    for trial, group in groups.items():
        assert {name: value.number_value for name, value in group.hparams.items()} == configurations[trial]
        assert [value.value for value in group.metric_values] == [curves[trial][-1][1]]
        assert group.sessions[0].status == 1, "paused or complete: it did what it was sent to do"
    best = min(loss for curve in curves.values() for _, loss in curve)
    assert best == min(loss for curve in curves_in(tmp_path).values() for _, loss in curve)


def test_tensorboard_as_a_callback_writes_while_the_experiment_runs(workplace):
    workplace.benchmark(arguments={"epochs": 9}, max_num_trials=4)
    target = "hpo.trackers.TensorBoard"
    succeeded(workplace.hpo("benchmark=mine", "method=ASHA", "experiment_tag=t", f"+callbacks.tb._target_={target}"))
    directory = workplace.directory("t", "ASHA")
    curves, configurations = curves_of(directory)
    assert curves_in(directory / "tensorboard") == curves
    assert len(sessions_in(directory / "tensorboard")) == len(configurations) == 4


def test_a_callback_s_own_settings_are_kept(workplace):
    workplace.benchmark(max_num_trials=1)
    succeeded(
        workplace.hpo(
            "benchmark=mine", "method=RS", "experiment_tag=t",
            f"+callbacks.tb={{_target_: hpo.trackers.TensorBoard, logdir: {workplace.path}/elsewhere, directory: x}}",
        )
    )  # fmt: skip
    assert curves_in(workplace.path / "elsewhere") == curves_of(workplace.directory("t"))[0]


def test_a_resumed_experiment_goes_on_with_its_curves(workplace):
    workplace.benchmark(max_num_trials=2)
    command = ["benchmark=mine", "method=ASHA", "experiment_tag=t", "+callbacks.tb._target_=hpo.trackers.TensorBoard"]
    succeeded(workplace.hpo(*command))
    succeeded(workplace.hpo(*command, "max_num_trials=6"))
    directory = workplace.directory("t", "ASHA")
    assert curves_in(directory / "tensorboard") == curves_of(directory)[0]


def test_a_callback_that_is_misspelt_is_one_sentence(workplace):
    result = workplace.hpo(
        "benchmark=mine", "method=RS", "experiment_tag=t",
        "+callbacks.tb={_target_: hpo.trackers.TensorBoard, logdirectory: x}",
    )  # fmt: skip
    assert "callbacks.tb" in error_of(result)


# ---------------------------------------------------------------------- the others, where they are installed


def needs(package):
    return pytest.mark.skipif(
        importlib.util.find_spec(package) is None, reason=f"{package} is not installed: pip install -e '.[{package}]'"
    )


def in_another_process(code, *arguments, **environment):
    """These packages start threads and servers of their own, and warn while they are imported."""
    import os

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def exported(directory, form, output):
    code = "import sys; from hpo.cli.commands import main; sys.exit(main.main(sys.argv[1:]))"
    arguments = ["export", str(directory), "--to", form, "--output", str(output)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr


@needs("mlflow")
@pytest.mark.slow
def test_mlflow_reads_every_run(directory, tmp_path):
    exported(directory, "mlflow", tmp_path / "m")
    code = """
import json, sys, mlflow
client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{sys.argv[1]}/mlflow.db")
(experiment,) = [e for e in client.search_experiments() if e.name != "Default"]
found = {}
for run in client.search_runs([experiment.experiment_id]):
    history = client.get_metric_history(run.info.run_id, "loss")
    curve = sorted((m.step, m.value) for m in history)
    found[run.data.tags["hpo.trial"]] = [curve, run.data.params, run.info.status]
print(json.dumps([experiment.name, found]))
"""
    name, found = in_another_process(code, tmp_path / "m")
    curves, configurations = curves_of(directory)
    assert name == "t/mine/ASHA/seed_3"
    assert {int(trial): [tuple(point) for point in curve] for trial, (curve, _, _) in found.items()} == curves
    for trial, (_, parameters, status) in found.items():
        assert parameters == {name: str(value) for name, value in configurations[int(trial)].items()}
        assert status == "FINISHED"


@needs("wandb")
@pytest.mark.slow
def test_wandb_writes_offline_runs_for_every_attempt(directory, tmp_path):
    exported(directory, "wandb", tmp_path / "w")
    code = '''
import json, sys
from pathlib import Path
from wandb.proto import wandb_internal_pb2 as pb

def records(data):
    """The records of W&B's file: blocks of 32 KiB, each record with a checksum, a length and a kind."""
    position, whole = 7, b""
    while position + 7 <= len(data):
        if 32768 - position % 32768 < 7:
            position += 32768 - position % 32768
            continue
        length, kind = int.from_bytes(data[position + 4 : position + 6], "little"), data[position + 6]
        whole += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # complete, or the last piece
            yield whole
            whole = b""

found = []
for path in sorted(Path(sys.argv[1]).glob("wandb/offline-run-*/run-*.wandb")):
    name, rows = None, []
    for data in records(path.read_bytes()):
        record = pb.Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "run":
            name = record.run.display_name
        if record.WhichOneof("record_type") == "history":
            row = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
            rows.append([int(row["epoch"]), row["loss"]])
    found.append([name, rows])
print(json.dumps(found))
'''
    found = in_another_process(code, tmp_path / "w")
    curves = {}
    for name, rows in found:
        curves.setdefault(int(name.removeprefix("trial ")), []).extend((epoch, loss) for epoch, loss in rows)
    assert {trial: sorted(curve) for trial, curve in curves.items()} == curves_of(directory)[0]


@needs("trackio")
@pytest.mark.slow
def test_trackio_reads_every_run(directory, tmp_path):
    exported(directory, "trackio", tmp_path / "t")
    (store,) = Path(tmp_path / "t").glob("*.db")
    code = """
import json, sys
from trackio.sqlite_storage import SQLiteStorage
project = sys.argv[1]
found = {}
for run in SQLiteStorage.get_runs(project):
    found[run] = [[row["step"], row["loss"]] for row in SQLiteStorage.get_logs(project, run) if "loss" in row]
print(json.dumps(found))
"""
    found = in_another_process(code, store.stem, TRACKIO_DIR=str(tmp_path / "t"))
    curves = {int(name.removeprefix("trial ")): sorted(map(tuple, rows)) for name, rows in found.items()}
    assert curves == curves_of(directory)[0]
