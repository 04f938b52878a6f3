"""Starting from earlier experiments: what is read, copied and kept, what the search does with it, and what is refused."""

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.config.choices import WarmStartUse, accepted_names
from hpo.config.reading import load_config, resolve
from hpo.errors import ConfigError, StoreError
from hpo.events.state import ExperimentState
from hpo.events.types import Kind
from hpo.experiment import warm_start
from hpo.experiment.opening import differences
from hpo.experiment.run import run_experiment
from hpo.experiment.warm_start import check_sources, collect
from hpo.exporting.portable import pack
from hpo.launchers.base import Job
from hpo.planning.plan import make_plan
from hpo.results.experiment import load_experiment
from hpo.schedulers.construction import scheduler_of
from hpo.schedulers.replay import verify
from hpo.surrogate.candidates import is_within
from hpo.warm_start.best_configurations import box_of
from hpo.warm_start.matching import match_results
from hpo.warm_start.results import from_lines, read_copy, sha256_of
from tests.conftest import error_of, succeeded
from tests.golden.making import decisions_of
from tests.reliability.harness import wait_until

LOCAL = {"_target_": "hpo.launchers.local.LocalLauncher"}
METHODS = ("RS", "GRID", "SOBOL", "ASHA", "ASHA-GP", "BO", "MOBSTER", "HYPERBAND", "SYNC-HYPERBAND")


def config(method="ASHA", tag="new", trials=12, **keys):
    keys = {"random_seed": 5, "max_num_trials": trials, "backend": {"name": "simulated"}, **keys}
    return load_config("generated_typical", method, experiment_tag=tag, **keys)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with the experiment `first`, and one with its portable file."""
    folder = tmp_path_factory.mktemp("earlier")
    run_experiment(config("ASHA", "first", 20, random_seed=1), folder / "first")
    pack([folder / "first"], folder / "first.zip")
    return folder


@pytest.fixture
def first(made, tmp_path, monkeypatch):
    """A copy of it, in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warm_start, "_held", {})
    shutil.copytree(made / "first", "first")
    return Path("first")


def replayed(directory):
    experiment = load_experiment(directory)
    scheduler = scheduler_of(experiment.config, read_copy(experiment.config, directory))
    count = [0]
    assert (
        list(verify(scheduler, ExperimentState(experiment.config.objective), enumerate(experiment.events), count)) == []
    )
    return count[0]


def started(directory):
    return [event.body["configuration"] for event in load_experiment(directory).events if event.kind == Kind.STARTED]


def test_the_copy_has_every_report_of_trials_that_did_not_fail_and_its_digest_stands_in_two_places(first, tmp_path):
    run_experiment(config(warm_start=["first"]), tmp_path / "new")
    content = (tmp_path / "new" / "warm_start.jsonl").read_bytes()
    (source,) = from_lines(content, tmp_path)
    reports = [event for event in load_experiment(first).events if event.kind == Kind.REPORTED]
    assert [(r.trial, r.resource, r.metrics) for r in source.results] == [
        (event.trial, event.resource, event.body["metrics"]) for event in reports
    ]
    assert source.events == len(load_experiment(first).events)
    new = load_experiment(tmp_path / "new")
    assert new.config.warm_start_sha256 == sha256_of(content)
    assert next(event for event in new.events if event.kind == Kind.OPENED).body["warm_start"] == sha256_of(content)
    assert "warm_start=first: " in (tmp_path / "new" / "hpo.log").read_text()
    assert {row["trial_id"] for row in new.reports.to_dict("records")} == set(range(12)), "no row of an earlier trial"


@pytest.mark.parametrize("method", METHODS)
def test_points_come_first_and_then_what_would_have_come_without(method, first, tmp_path):
    run_experiment(config(method), tmp_path / "cold")
    run_experiment(config(method, trials=17, warm_start=["first"]), tmp_path / "warm")
    cold, warm = started(tmp_path / "cold"), started(tmp_path / "warm")
    best = load_experiment(first)
    loss = {trial: (-state.resource, state.loss) for trial, state in best.state.trials.items()}
    assert warm[0] == best.state.trials[min(loss, key=loss.__getitem__)].trial.configuration
    points, shared = warm[:5], [one for one in cold if one not in warm[:5]]
    assert len({str(sorted(one.items())) for one in warm}) == len(warm), "none is trained twice"
    assert len([one for one in points if one in [s.trial.configuration for s in best.state.trials.values()]]) == 5
    alike = 6 if method != "GRID" else 1
    assert warm[5 : 5 + alike] == shared[:alike]
    assert replayed(tmp_path / "warm") > 17


def test_a_start_without_earlier_experiments_decides_as_one_that_knows_of_none(first, tmp_path):
    """The golden logs hold this for all methods; here for the key at its default, written out."""
    run_experiment(config("ASHA-GP"), tmp_path / "a")
    run_experiment(config("ASHA-GP", warm_start=[], warm_start_use="points"), tmp_path / "b")
    a, b = (load_experiment(tmp_path / name).events for name in "ab")
    assert decisions_of(a) == decisions_of(b)
    assert "warm_start" not in a[0].body
    assert not (tmp_path / "a" / "warm_start.jsonl").exists()


@pytest.mark.parametrize("method", ["ASHA-GP", "BO"])
def test_data_change_what_the_model_proposes_and_nothing_before_and_replay(method, first, tmp_path):
    run_experiment(config(method, trials=25), tmp_path / "cold")
    run_experiment(config(method, trials=25, warm_start=["first"], warm_start_use="data"), tmp_path / "warm")
    shutil.rmtree(first)
    cold, warm = started(tmp_path / "cold"), started(tmp_path / "warm")
    assert warm[:6] == cold[:6]
    assert warm != cold
    assert replayed(tmp_path / "warm") > 25


@pytest.fixture
def second(first, tmp_path):
    """Another source, of the same benchmark."""
    run_experiment(config("ASHA", "second", 20, random_seed=2), tmp_path / "second")
    return tmp_path / "second"


BOTH = {"warm_start": ["first", "second"]}


@pytest.mark.parametrize("method", ["RS", "ASHA-GP"])
def test_a_search_stays_in_the_box_of_its_sources_and_is_replayed(method, second, tmp_path):
    run_experiment(config(method, trials=15, **BOTH, warm_start_use="box"), tmp_path / "warm")
    made = load_experiment(tmp_path / "warm")
    box = box_of(match_results(read_copy(made.config, tmp_path / "warm"), made.config), made.config.space)
    inside = sum(is_within(box, one) for one in started(tmp_path / "warm")[1:])  # the first is the centre
    assert inside >= min(box.size, 14) - 5
    assert replayed(tmp_path / "warm") > 15


@pytest.mark.parametrize("method", ["ASHA", "ASHA-STOP", "HYPERBAND"])
def test_a_stored_experiment_with_hurdles_resumes_and_a_trial_passes_a_rung_only_if_it_beats_the_portfolio_there(
    method, second, tmp_path, monkeypatch
):
    with monkeypatch.context() as earlier_version:
        earlier_version.setattr(warm_start, "_refuse_withdrawn_use", lambda *_: None)
        run_experiment(config(method, trials=20, **BOTH, warm_start_use="hurdle"), tmp_path / "warm")
    run_experiment(config(method, trials=40, **BOTH, warm_start_use="hurdle"), tmp_path / "warm")
    run_experiment(config(method, trials=40, **BOTH, warm_start_use="portfolio"), tmp_path / "points")
    assert started(tmp_path / "warm")[:5] == started(tmp_path / "points")[:5]
    made = load_experiment(tmp_path / "warm")
    levels = scheduler_of(made.config, read_copy(made.config, tmp_path / "warm")).levels
    hurdle_trials = {trial for trial, state in made.state.trials.items() if trial < 5}
    hurdles, at = {}, {}
    for event in made.events:
        loss = event.body["metrics"]["loss"] if event.kind == Kind.REPORTED else None
        compared = event.kind == Kind.REPORTED and (method == "ASHA-STOP" or event.body["decision"] == "PAUSE")
        if compared and event.resource in levels:  # a bracket of HYPERBAND leaves out the lowest
            at[event.trial, event.resource] = loss
            if event.trial in hurdle_trials:
                hurdles[event.resource] = min(loss, hurdles.get(event.resource, loss))
            if method == "ASHA-STOP" and event.trial not in hurdle_trials and event.resource in hurdles:
                assert event.body["decision"] != "CONTINUE" or loss < hurdles[event.resource]
        if event.kind == Kind.RESUMED and event.trial not in hurdle_trials:
            level = max(level for trial, level in at if trial == event.trial)
            assert at[event.trial, level] < hurdles.get(level, float("inf"))
    assert hurdles
    assert replayed(tmp_path / "warm") > 40


def test_what_a_use_does_not_fit_is_one_sentence(second, tmp_path):
    experiments = collect(["first", "second"], own=tmp_path / "new")
    alone = collect(["first"], own=tmp_path / "new")

    def why(method, use, given=experiments, **keys):
        with pytest.raises(ConfigError) as caught:
            scheduler_of(config(method, **BOTH, warm_start_use=use, **keys), given)
        return str(caught.value)

    said, _, listed = why("MOBSTER", "data").rpartition("method=")
    assert said == (
        "warm_start_use=data: MOBSTER has no model that learns from earlier experiments; use warm_start_use=points, or "
    )
    able = set(listed.replace(" or ", ", ").split(", "))
    assert {"ASHA-GP", "ASHA-TPE", "BO", "TPE"} <= able  # all whose searcher says so, of whichever methods there are
    assert able.isdisjoint({"MOBSTER", "RS", "ASHA", "BOHB", "PBT"})
    for method in ("BO", "TPE", "CMA-ES", "DEHB", "SOBOL", "GRID"):
        assert why(method, "box").startswith(
            f"warm_start_use=box: {method} looks everywhere, and not in a part of the space"
        )
    for use in ("portfolio", "box"):
        assert why("ASHA", use, alone) == (
            f"warm_start_use={use}: it is about what several sources have in common, and results of one source alone fit; "
            "name another in warm_start, or use warm_start_use=points"
        )
    with pytest.raises(ConfigError, match="warm_start_use=box: it is about what several sources have in common"):
        run_experiment(config("ASHA", warm_start=["first"], warm_start_use="box"), tmp_path / "never")
    assert not (tmp_path / "never" / "experiment.yaml").exists()
    for use in ("portfolio", "box", "hurdle"):
        with pytest.raises(ConfigError, match=f"warm_start_use={use}: there are no data without warm_start"):
            resolve(config(warm_start_use=use))
    scheduler_of(config("ASHA", **BOTH, warm_start_use="hurdle"), alone)  # one source sets hurdles, too


def test_a_new_experiment_with_hurdles_is_refused_and_the_sentence_names_the_replacement(second, tmp_path):
    hurdle, refused = config(**BOTH, warm_start_use="hurdle"), "warm_start_use=hurdle: .* use warm_start_use=portfolio"
    with pytest.raises(ConfigError, match=refused):
        run_experiment(hurdle, tmp_path / "never")
    assert not (tmp_path / "never" / "experiment.yaml").exists()
    with pytest.raises(ConfigError, match=refused):
        check_sources(hurdle, tmp_path / "never")
    run_experiment(config(**BOTH), tmp_path / "other")
    with pytest.raises(ConfigError, match=refused):
        run_experiment(replace(hurdle, overwrite=True), tmp_path / "other")
    assert len(started(tmp_path / "other")) == 12, "nothing was deleted"
    assert "hurdle" not in accepted_names(WarmStartUse)


def test_only_the_copy_is_read_once_it_is_there(first, tmp_path):
    """The source goes on, and then is deleted: the same call resumes, and the decisions are the same when replayed."""
    run_experiment(config(warm_start=["first"]), tmp_path / "new")
    before = (tmp_path / "new" / "warm_start.jsonl").read_bytes()
    run_experiment(config("ASHA", "first", 25, random_seed=1), first)
    run_experiment(config(trials=14, warm_start=["first"]), tmp_path / "new")
    shutil.rmtree(first)
    run_experiment(config(trials=16, warm_start=["first"]), tmp_path / "new")
    assert (tmp_path / "new" / "warm_start.jsonl").read_bytes() == before
    assert len(started(tmp_path / "new")) == 16
    replayed(tmp_path / "new")


def test_a_copy_that_is_gone_or_another_warm_start_refuse_to_go_on(first, tmp_path):
    run_experiment(config(warm_start=["first"]), tmp_path / "new")
    for keys, words in (
        ({"warm_start": []}, "warm_start: "),
        ({"warm_start": ["first"], "warm_start_use": "data"}, "_use: "),
    ):
        with pytest.raises(StoreError, match=f"another configuration .*{words}"):
            run_experiment(config("ASHA-GP" if "_use" in words else "ASHA", trials=20, **keys), tmp_path / "new")
    (tmp_path / "new" / "warm_start.jsonl").unlink()
    with pytest.raises(StoreError, match=r"new/warm_start\.jsonl: is gone"):
        run_experiment(config(trials=20, warm_start=["first"]), tmp_path / "new")
    run_experiment(config(trials=13, warm_start=["first"], overwrite=True), tmp_path / "new")
    assert len(started(tmp_path / "new")) == 13


def test_overwriting_deletes_nothing_where_the_sources_are_wrong(first, tmp_path):
    for source, words in (
        ("none", "there is no experiment in that directory"),
        ("first", "it holds the experiment that is to"),
    ):
        with pytest.raises(ConfigError, match=f"warm_start={source}: .*{words}"):
            run_experiment(config(warm_start=[source], overwrite=True, tag="first"), first)
    assert len(started(first)) == 20


def test_a_portable_file_and_a_copy_are_sources_like_their_experiment(first, made, tmp_path):
    run_experiment(config(warm_start=["first"]), tmp_path / "new")
    (tmp_path / "outputs" / "old" / "x").mkdir(parents=True)
    shutil.copytree(first, tmp_path / "outputs" / "old" / "x" / "y")
    for source in (str(made / "first.zip"), "new/warm_start.jsonl", "tag:old", "old"):
        (again,) = collect([source], own=tmp_path / "other")
        (once,) = collect(["first"], own=tmp_path / "other")
        assert replace(again, source="first") == once


def test_what_cannot_be_a_source_is_one_sentence(first, tmp_path):
    (tmp_path / "text").write_text("nothing")
    (tmp_path / "broken").mkdir()
    shutil.copy(first / "experiment.yaml", "broken")
    (tmp_path / "broken" / "events.db").write_bytes(b"SQLite format 3\0" + bytes(500))
    for source, words in (
        ("none", "there is no experiment in that directory, and no tag"),
        ("tag:none", "there is no tag of that name under outputs/"),
        ("text", "is not a warm_start.jsonl"),
        ("broken", "damaged|cannot be read|events.db"),
    ):
        with pytest.raises(ConfigError, match=f"^warm_start={source}: .*({words})"):
            check_sources(resolve(config(warm_start=[source])), tmp_path / "new")
    with pytest.raises(
        ConfigError, match=r"warm_start_use=data: MOBSTER has no model that learns .* use warm_start_use=points"
    ):
        scheduler_of(config("MOBSTER", warm_start=["first"], warm_start_use="data"))
    with pytest.raises(ConfigError, match="warm_start_use=data: there are no data without warm_start"):
        resolve(config(warm_start_use="data"))
    with pytest.raises(ConfigError, match="warm_start=first: name each"):
        resolve(config(warm_start=["first", "first"]))


def test_a_plan_looks_at_the_sources_and_writes_nothing(first, tmp_path):
    for source, wrong in (("first", None), ("none", "warm_start=none: ")):
        job = Job(config(warm_start=[source], launcher=LOCAL), tmp_path / "outputs" / "new", tmp_path / "outputs")
        (group,) = make_plan([job]).groups
        assert (group.problem or "").startswith(wrong or "")
        assert (group.problem is None) == (wrong is None)
    assert not (tmp_path / "outputs").exists()


def test_too_many_results_are_cut_to_the_best_trials_and_the_latest(first, tmp_path, monkeypatch):
    (whole,) = collect(["first"], own=tmp_path)
    monkeypatch.setattr(warm_start, "MOST_RESULTS", 20)
    (cut,) = collect(["first"], own=tmp_path)
    assert len(cut.results) == 20
    assert cut.left_out == len(whole.results) - 20
    furthest = sorted(whole.results, key=lambda r: (-r.resource, r.metrics["loss"]))[:10]
    assert all(result in cut.results for result in furthest)
    others = [result for result in whole.results if result not in furthest]
    assert [result for result in cut.results if result not in furthest] == others[-10:]


def test_experiments_of_one_command_start_from_the_same_though_a_source_goes_on(first, tmp_path):
    new = resolve(config(warm_start=["first"]))
    check_sources(new, tmp_path / "a")
    run_experiment(new, tmp_path / "a")
    run_experiment(config("ASHA", "first", 25, random_seed=1), first)
    run_experiment(replace(new, seed=1), tmp_path / "b")
    one, other = (load_experiment(tmp_path / name).config for name in "ab")
    assert one.warm_start_sha256 == other.warm_start_sha256
    assert differences(replace(one, seed=1), other) == []


@pytest.mark.process
def test_killed_at_once_it_resumes_from_the_copy_and_replays(complete):
    """Trials are real processes, and the tuner is killed with SIGKILL; the source is gone before the same command goes on."""
    complete.benchmark(arguments={"epochs": 3, "sleep": 0.1}, max_num_trials=6, n_workers=1)
    command = ("benchmark=mine", "method=RS", "experiment_tag=w", "warm_start=[tag:t]")
    run = complete.start(*command)
    directory = complete.directory("w")
    wait_until(lambda: (directory / "trials" / "1").exists())
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    shutil.rmtree(complete.directory("t"))
    succeeded(complete.hpo(*command))
    assert len(started(directory)) == 6
    assert "0 different" in succeeded(complete.verb("replay", "w"))
    assert (
        complete.hpo("benchmark=mine", "method=RS", "experiment_tag=x", "warm_start=[tag:t]", "--cfg", "job").returncode
        == 0
    )
    sentence = error_of(complete.hpo("benchmark=mine", "method=RS", "experiment_tag=x", "warm_start=[outputs/t]"))
    assert sentence.startswith("warm_start=outputs/t: ")
    assert not (complete.path / "outputs" / "x").exists()
