"""`hpo plan`: expectations against the real tuner, smoke trials, jobs, money, and what a reviewer would say."""

import contextlib
import json
import re
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
import yaml

from hpo import load_experiment
from hpo.config.reading import load_config, resolve
from hpo.errors import ConfigError, ExperimentError
from hpo.launchers.base import Job
from hpo.planning.directory_state import DirectoryState, PlannedExperiment
from hpo.planning.expectation import TrainingCourse, simulate_method
from hpo.planning.plan import Group, Machine, Plan, make_plan
from hpo.planning.plan_warnings import advice
from hpo.planning.prices import read_prices
from hpo.planning.smoke_trial import Smoke, smoke_trial
from hpo.planning.text import text
from hpo.store.event_store import Store
from tests.conftest import SCRIPTS, error_of, succeeded
from tests.support.fakes import run_fake, unit

SPACE = {"x": {"type": "float", "lower": 0.0, "upper": 1.0}}


def benchmark(**changes):
    """A benchmark without a real script behind it."""
    return {
        "name": "mine",
        "script": str(SCRIPTS / "steps.py"),
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "config_space": SPACE,
        "arguments": {"epochs": 27},
        "n_workers": 4,
        "num_gpus_per_trial": 0,
    } | changes


def config(method="ASHA", *, of=None, **overrides):
    return resolve(load_config(of or benchmark(), method, random_seed=0, **overrides))


def per_epoch(seconds, epochs=27):
    """What a training costs that takes the same time for every epoch."""
    course = TrainingCourse([seconds * epoch for epoch in range(1, epochs + 1)])
    return lambda _randomness, _configuration: course


# ---------------------------------------------------------------------- how many trials get how far


@pytest.mark.parametrize("method", ["ASHA", "ASHA-STOP", "HYPERBAND", "SYNC-HYPERBAND", "RS"])
@pytest.mark.parametrize(("workers", "most"), [(1, 30), (4, 60)])
@pytest.mark.long
def test_the_numbers_are_those_of_the_real_tuner_on_random_losses(method, workers, most):
    """The whole tuner on a backend of a virtual clock: losses that are as random, and other seeds."""
    expected = simulate_method(config(method, max_num_trials=most), per_epoch(1.0), workers)
    counts = {level: [] for level in expected.reached}
    for seed in range(10):
        _, state, _ = run_fake(
            method,
            space=SPACE,
            seed=100 + seed,
            n_workers=workers,
            max_resource=27,
            budget=budget(max_num_trials=most),
            backend={
                "seconds": lambda _trial, _configuration: 1.0,
                "evaluate": lambda configuration, _resource: unit(configuration),
            },
        )
        for level, found in counts.items():
            found.append(sum(trial.resource >= level for trial in state.trials.values()))

    assert expected.trials == most
    for level, found in counts.items():
        # Both are means of ten experiments.
        assert expected.reached[level] == pytest.approx(fmean(found), abs=0.15 * fmean(found) + 1.0), level


def budget(**limits):
    from hpo.tuner.stopping import Budget

    return Budget(**limits)


def test_random_search_is_counted_exactly():
    """Two workers, three epochs of 10 s each: in 95 s each completes three trainings and is in its fourth."""
    expected = simulate_method(
        config("RS", of=benchmark(arguments={"epochs": 3}), max_wallclock_time=95), per_epoch(10, 3), 2
    )

    assert expected.trials == 8
    assert expected.reached == {3: 6}
    assert expected.elapsed == 95
    assert expected.assumed_trials is None


def test_time_ends_with_the_trials_where_those_are_fewer():
    """One worker, four trainings of 3 x 2 s."""
    small = benchmark(arguments={"epochs": 3})
    expected = simulate_method(config("RS", of=small, max_num_trials=4, max_wallclock_time=1000), per_epoch(2, 3), 1)

    assert (expected.trials, expected.elapsed) == (4, 24)


def test_a_space_that_is_exhausted_ends_it():
    small = benchmark(config_space={"x": {"type": "int", "lower": 1, "upper": 5}})

    assert simulate_method(config("RS", of=small, max_num_trials=50), None, 4).reached == {27: 5}
    assert simulate_method(config("GRID", of=small, max_num_trials=50), None, 4).trials == 5


def test_evaluations_are_counted():
    """A worker's reports, one per epoch: 27 of the first trial and 3 of the second."""
    expected = simulate_method(config("RS", max_num_evaluations=30), per_epoch(1), 1)

    assert (expected.trials, expected.reached, expected.elapsed) == (2, {27: 1}, 30)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_first_report_as_good_as_the_target_is_the_last(mode):
    """Losses 26, 25, …: the target 22 is reached after 5 epochs of 2 s, a worse one at the first, a better one never."""
    losses = [27.0 - epoch for epoch in range(1, 28)]
    sign = 1 if mode == "min" else -1
    course = TrainingCourse([2.0 * epoch for epoch in range(1, 28)], losses)
    for target, elapsed in ((22, 10), (30, 2), (-1, 108)):
        asked = config("RS", of=benchmark(mode=mode), max_num_trials=2, target_value=sign * target)
        assert simulate_method(asked, lambda _randomness, _configuration: course, 1).elapsed == elapsed


def test_a_resumed_trial_takes_its_time_to_start_again():
    """One worker: without promotions nothing changes, with them all that is resumed costs 100 s more."""
    for method, same in (("RS", True), ("ASHA", False)):
        asked = config(method, max_num_trials=20)
        plain, slow = (simulate_method(asked, per_epoch(1), 1, restart=seconds) for seconds in (0.0, 100.0))
        assert (plain.elapsed == slow.elapsed) is same
        assert plain.reached == slow.reached


def test_without_costs_and_trials_the_figures_are_for_a_hundred():
    expected = simulate_method(config("ASHA", max_wallclock_time=60), None, 2)

    assert (expected.assumed_trials, expected.trials, expected.elapsed) == (100, 100, None)
    # Every trial reports at the first rung, and the cut-off lets at least a third of them pass.
    assert expected.reached[1] == 100
    assert 100 / 3 <= expected.reached[3] < 50


def test_the_figures_are_the_same_in_every_call():
    asked = config("HYPERBAND", max_num_trials=40)

    assert simulate_method(asked, per_epoch(1), 3) == simulate_method(asked, per_epoch(1), 3)


def test_a_huge_experiment_is_cut():
    expected = simulate_method(config("RS", max_wallclock_time=1e9), per_epoch(1e-3), 4)

    assert expected.cut


@pytest.mark.process
def test_a_simulated_experiment_is_expected_as_it_comes(workplace):
    """Means over other seeds than the experiment's, on the same table."""
    overrides = ["benchmark=generated_typical", "method=RS,ASHA,ASHA-STOP", "num_seeds=5", "random_seed=1"]
    planned = json.loads(succeeded(workplace.verb("plan", *overrides, "--json")))
    succeeded(workplace.hpo(*overrides, "experiment_tag=t"))

    for group in planned["groups"]:
        states = []
        for experiment in group["experiments"]:
            folder = workplace.directory("t", group["method"], experiment["seed"], "generated_typical")
            states.append(load_experiment(folder).state)
        for level, expected in group["expectation"]["reached"].items():
            found = fmean(sum(trial.resource >= int(level) for trial in state.trials.values()) for state in states)
            assert expected == pytest.approx(found, rel=0.25, abs=2), (group["method"], level)
        assert group["seconds_each"] == pytest.approx(fmean(state.elapsed for state in states), rel=0.02)


# ---------------------------------------------------------------------- smoke trials


@pytest.mark.process
def test_a_smoke_trial_measures_time_memory_and_checkpoint(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    smoke = smoke_trial(config(of=benchmark(arguments={"epochs": 27, "sleep": 0.3})))

    assert smoke.units == 3
    assert 0.3 <= smoke.per_unit < 3
    assert smoke.start_up < smoke.first_report
    assert smoke.checkpoint_bytes == 1  # the epoch, one digit
    assert smoke.keys == ("epoch", "foo", "loss", "pid")
    assert smoke.peak_memory_mb > 1


@pytest.mark.process
def test_a_smoke_trial_that_fails_says_why(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for how, words in (("exit", "exit code 3"), ("metric", "did you mean 'los'")):
        bad = benchmark(script=str(SCRIPTS / "misbehave.py"), arguments={"epochs": 3, "how": how})
        with pytest.raises(ExperimentError, match=words):
            smoke_trial(config(of=bad))


@pytest.mark.process
def test_what_is_measured_becomes_a_number_of_trials_and_bytes(workplace):
    workplace.benchmark("slow", arguments={"epochs": 3, "sleep": 0.2}, max_num_trials=None, max_wallclock_time=60)
    conf = ("--config-dir", str(workplace.path / "conf"))
    planned = json.loads(succeeded(workplace.verb("plan", *conf, "benchmark=slow", "method=RS", "--smoke", "--json")))

    (group,) = planned["groups"]
    smoke = group["smoke"]
    training = smoke["start_up"] + 3 * smoke["per_unit"]
    assert group["expectation"]["trials"] == pytest.approx(2 * 60 / training, rel=0.02, abs=2)
    assert group["disk_bytes_each"] == pytest.approx(group["expectation"]["trials"] * smoke["checkpoint_bytes"])
    assert not (workplace.path / "outputs").exists()


# ---------------------------------------------------------------------- directories


@pytest.mark.process
def test_directories_are_new_complete_unfinished_or_of_another_configuration(complete):
    conf = f"--config-dir={complete.path}/conf"

    def states(*overrides):
        planned = json.loads(succeeded(complete.verb("plan", conf, "method=RS", *overrides, "--json")))
        return [experiment["state"] for group in planned["groups"] for experiment in group["experiments"]]

    assert states("benchmark=mine", "experiment_tag=t", "num_seeds=2") == ["complete", "new"]
    assert states("benchmark=mine", "experiment_tag=t", "max_num_trials=9") == [
        "complete, resumes with the changed budget"
    ]
    assert states("benchmark=mine", "experiment_tag=t", "benchmark.mode=max") == ["another configuration"]
    assert states("benchmark=mine", "experiment_tag=t", "max_failures=9") == ["complete"]
    assert states("benchmark=mine", "experiment_tag=t", "overwrite=true") == ["deleted and started again"]
    (complete.directory("t") / "metadata.json").write_text('{"status": "interrupted"}')
    assert states("benchmark=mine", "experiment_tag=t") == ["complete"], "the log decides"
    path = complete.directory("t") / "events.db"
    events = load_experiment(path.parent).events
    path.unlink()
    with contextlib.closing(Store(path)) as store:
        store.append(events[:-1])
    assert states("benchmark=mine", "experiment_tag=t") == ["unfinished"]


@pytest.mark.process
def test_a_plan_writes_nothing(complete):
    before = {path: path.stat().st_mtime_ns for path in complete.path.rglob("*")}
    conf = f"--config-dir={complete.path}/conf"
    succeeded(complete.verb("plan", conf, "benchmark=mine", "method=RS,ASHA", "experiment_tag=t", "num_seeds=3"))
    succeeded(complete.verb("plan", conf, "benchmark=mine", "method=RS", "experiment_tag=new"))

    assert {path: path.stat().st_mtime_ns for path in complete.path.rglob("*")} == before


# ---------------------------------------------------------------------- remote jobs and money

PRICES = {
    "date": "2026-11-01",
    "region": "us-west-2",
    "currency": "USD",
    "source": "https://prices.example",
    "prices": {"ml.g4dn.12xlarge": 5.0},
}
SAGEMAKER = ("launcher=sagemaker", "launcher.region=us-west-2", "experiment_tag=t")


@pytest.mark.process
def test_jobs_cost_their_hours_times_the_price(workplace):
    workplace.write("prices.yaml", yaml.safe_dump(PRICES))
    out = workplace.verb(
        "plan", "method=RS,ASHA", "num_seeds=6", *SAGEMAKER, "random_seed=1", "--prices", "prices.yaml"
    )

    # resnet_cifar10: 12 experiments of 10,800 s = 3 h, at 5 an hour
    assert "about 180.00 USD on demand, by the prices of 2026-11-01 in us-west-2 (https://prices.example)" in out.stdout
    assert "6 on ml.g4dn.12xlarge, 3.00 h each" in out.stdout
    assert "launcher.bucket and launcher.role are missing" in out.stdout


@pytest.mark.process
def test_what_the_start_of_each_attempt_costs_is_said_for_each_rung(workplace):
    keys = ("backend.bucket=bucket", "backend.role=arn:aws:iam::123456789012:role/r", "backend.region=us-west-2")
    workplace.benchmark(instance_type="ml.c5.xlarge", arguments={"epochs": 9}, max_num_trials=9, max_wallclock_time=...)
    asked = ("plan", "--config-dir", "conf", "benchmark=mine", "method=ASHA", "backend=sagemaker", *keys)
    out = succeeded(workplace.verb(*asked))
    reached = re.search(r"^  get there +(.*)$", out, re.MULTILINE)[1].split()
    waits = re.search(r"^  start-up +(.*)$", out, re.MULTILINE)[1].split()
    assert len(reached) == len(waits) == 3
    assert waits[0] == "0:27:00"  # nine trials, three minutes each
    assert "waits about 3 minutes for its machine" in out
    workplace.write("prices.yaml", yaml.safe_dump({**PRICES, "prices": {"ml.c5.xlarge": 2.0}}))
    priced = succeeded(workplace.verb(*asked, "--prices", "prices.yaml"))
    costs = re.search(r"^  in USD +(.*)$", priced, re.MULTILINE)[1].split()
    assert costs[0] == "0.90"  # 27 minutes at 2 an hour


@pytest.mark.parametrize(
    ("backend", "place"),
    [
        (
            {"name": "ray", "address": "h:1"},
            "the Ray cluster at h:1; 40 slots are asked for, each with 1 CPU, 2 GPU; what",
        ),
        ({"name": "ray", "address": "local"}, None),
        ({"name": "local"}, None),
    ],
)
def test_slots_of_a_cluster_are_what_is_asked_for_and_its_gpus_are_not_known(backend, place, monkeypatch):
    monkeypatch.setattr("hpo.planning.plan.visible_gpus", lambda *_: ["0"])
    here = {"_target_": "hpo.launchers.local.LocalLauncher"}
    given = config("ASHA", of=benchmark(n_workers=40), num_gpus_per_trial=2, backend=backend, launcher=here)
    (group,) = make_plan([Job(given, Path("new"), Path())]).groups
    assert group.problem is None
    assert (group.elsewhere or "").startswith(place or "")
    assert (group.elsewhere is None) == (place is None)
    assert (group.slots, group.gpus) == ((40, None) if place else (40, 1))


@pytest.mark.process
def test_a_job_s_own_cluster_is_planned_with_all_its_machines(workplace):
    workplace.benchmark(instance_type="ml.c5.xlarge", max_wallclock_time=3600)
    workplace.write("prices.yaml", yaml.safe_dump({**PRICES, "prices": {"ml.c5.xlarge": 2.0}}))
    asked = (
        "--config-dir",
        "conf",
        "benchmark=mine",
        "method=RS",
        *SAGEMAKER,
        "backend=ray",
        "launcher.instance_count=3",
    )
    out = succeeded(workplace.verb("plan", *asked, "--prices", "prices.yaml"))
    assert "trials on a Ray cluster that the job makes of its own machines" in out
    assert "1 on 3 x ml.c5.xlarge, 1.00 h each" in out
    assert "1, 3.0 machine hours" in out
    assert "about 6.00 USD on demand" in out


@pytest.mark.process
def test_the_names_of_jobs_are_those_of_the_requests(workplace):
    planned = json.loads(succeeded(workplace.verb("plan", "method=RS", *SAGEMAKER, "random_seed=1", "--json")))
    sent = workplace.hpo("method=RS", *SAGEMAKER, "random_seed=1", "launcher.dry_run=true")

    (job,) = planned["groups"][0]["jobs"]
    assert f'"TrainingJobName": "{job["name"]}"' in succeeded(sent)


@pytest.mark.process
def test_a_name_that_hangs_on_a_seed_not_drawn_yet_is_left_open(workplace):
    planned = json.loads(succeeded(workplace.verb("plan", "method=RS", *SAGEMAKER, "--json")))

    assert planned["groups"][0]["jobs"][0]["name"] == "resnet-cifar10-t-RS-0-????"


@pytest.mark.process
def test_without_prices_the_plan_says_how_to_give_them(workplace):
    assert (
        "no prices are known; give a file with --prices FILE" in workplace.verb("plan", "method=RS", *SAGEMAKER).stdout
    )


@pytest.mark.process
def test_a_slurm_job_is_planned_with_what_it_asks_for(workplace):
    out = succeeded(workplace.verb("plan", "method=RS", "launcher=slurm", "experiment_tag=t", "launcher.partition=gpu"))

    assert "1 on 16 cores, 4 GPUs, gpu, 3.00 h each, ended after 4.00 h" in out
    assert "t-RS-0" in out
    assert "money" not in out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"currency": ...}, "it has no currency"),
        ({"prices": {}}, "prices={}"),
        ({"prices": {"ml.x": "five"}}, "prices.ml.x='five'"),
        ({"prices": {"ml.x": -1}}, "prices.ml.x=-1"),
    ],
)
def test_a_file_of_prices_that_cannot_be_read_is_one_sentence(tmp_path, change, words):
    path = tmp_path / "prices.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in {**PRICES, **change}.items() if v is not ...}))

    with pytest.raises(ConfigError) as error:
        read_prices(path)
    assert words in str(error.value)


# ---------------------------------------------------------------------- what a reviewer would say

MEASURED = Smoke(3, 10.0, 2.0, 1.0, 1000, ("epoch", "loss"), 50.0)


def plan_of(asked, *, gpus=0, cores=8, smoke=None, free=10**12):
    """The plan of one experiment on a machine that need not be this one."""
    from hpo.schedulers.construction import scheduler_of

    group = Group([PlannedExperiment(asked, "outputs/t", DirectoryState.NEW)], asked.n_workers, gpus, smoke=smoke)
    group.scheduler = scheduler_of(asked)
    group.expectation = simulate_method(asked, per_epoch(1.0, asked.max_resource) if smoke else None, asked.n_workers)
    return Plan([group], Machine(cores, gpus, free))


@pytest.mark.parametrize(
    ("asked", "machine", "words"),
    [
        (config("RS"), {}, "there is no budget"),
        (
            config("RS", max_wallclock_time=20),
            {"smoke": MEASURED},
            "shorter than one full-budget evaluation, about 28 s",
        ),
        (config("ASHA", max_num_trials=5), {}, "will reach the top; give a larger budget"),
        (config("RS", max_num_trials=5, n_workers=9), {"cores": 8}, "n_workers=9 share 8 core(s)"),
        (config("RS", max_num_trials=5, num_gpus_per_trial=1), {}, "this machine has no GPU"),
        (config("RS", max_num_trials=5, num_gpus_per_trial=4), {"gpus": 2}, "this machine has 2 GPU(s)"),
        (config("RS", max_num_trials=5, num_gpus_per_trial=1), {"gpus": 2}, "GPUs for 2: the others wait"),
        (
            config("RS", max_num_trials=5, num_gpus_per_trial=1, n_workers=1),
            {"gpus": 8},
            "n_workers=1 on 8 GPUs leaves 7 of them idle",
        ),
        (
            config("ASHA", max_num_trials=50),
            {"smoke": replace(MEASURED, checkpoint_bytes=0)},
            "saved no checkpoint, so that every resumed trial starts over",
        ),
        (
            config("RS", max_num_trials=50),
            {"smoke": replace(MEASURED, checkpoint_bytes=10**9), "free": 10**10},
            "checkpoints need about 50.0 GB, and 10.0 GB are free here",
        ),
        (config("RS", of=benchmark(metric="val_acc"), max_num_trials=50), {}, "write mode: max, unless that is meant"),
        (config("GRID", max_num_trials=3), {}, "the grid has 5 points, of which about 3 are tried"),
        (
            config("RS", of=benchmark(config_space={"x": {"type": "int", "lower": 1, "upper": 3}}), max_num_trials=9),
            {},
            "the space has 3 configurations, fewer than max_num_trials=9",
        ),
    ],
)
def test_a_doubtful_point_is_one_sentence(asked, machine, words):
    found = advice(plan_of(asked, **machine))

    assert sum(words in sentence for sentence in found) == 1, found
    assert all("\n" not in sentence for sentence in found)


@pytest.mark.parametrize("method", ["RS", "ASHA", "ASHA-STOP"])
def test_a_sound_plan_has_nothing_doubtful(method):
    asked = config(method, max_num_trials=100, max_wallclock_time=10_000)

    assert advice(plan_of(asked, smoke=MEASURED)) == []
    assert "warnings" not in text(plan_of(asked, smoke=MEASURED))


def test_few_rungs_are_those_of_a_long_training():
    long = benchmark(arguments={"epochs": 4000})
    (said,) = advice(plan_of(config("ASHA", of=long, max_num_trials=40)))

    # 1, 3, 9, 27, 81, 243, 729, 2187
    assert said.startswith("mine · ASHA: 8 rung(s) from 1 to 4,000 epochs with 4 worker(s): about ")


def times_of(*budgets):
    """The lines about time of a plan with an experiment for each of these wall-clock budgets; None: there is none."""
    plans = [plan_of(config("RS", max_num_trials=2, max_wallclock_time=budget)) for budget in budgets]
    for plan in plans:
        plan.groups[0].expectation = None
    whole = replace(plans[0], groups=[plan.groups[0] for plan in plans])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("hpo.planning.text._expectation", lambda *_: ())
        patched.setattr("hpo.planning.text.advice", lambda _: [])
        return [line.split(maxsplit=1)[1] for line in text(whole).splitlines() if line.startswith("  time ")]


@pytest.mark.parametrize(
    ("budgets", "each", "total"),
    [
        ([60.0, 90.0], ["at most 0:01:00 each", "at most 0:01:30 each"], ["0:02:30 here"]),
        ([60.0, None], ["at most 0:01:00 each", "unknown"], ["at least 0:01:00 here"]),
        ([0.02, 0.03], ["under a second each", "under a second each"], ["under a second here"]),
        ([0.02, None], ["under a second each", "unknown"], []),
        ([None], ["unknown"], []),
    ],
)
def test_a_time_that_nobody_knows_is_not_given_as_0_seconds(budgets, each, total):
    lines = times_of(*budgets)
    assert len(lines) == len(each) + len(total)
    assert all(line.startswith(start) for line, start in zip(lines, each + total, strict=True))


@pytest.mark.process
def test_what_concerns_several_experiments_is_said_once(workplace):
    conf = f"--config-dir={workplace.path}/conf"
    few = workplace.verb("plan", conf, "benchmark=mine", "method=RS,ASHA", "num_seeds=5").stdout
    enough = workplace.verb("plan", conf, "benchmark=mine", "method=RS,ASHA", "num_seeds=6").stdout
    alone = workplace.verb("plan", conf, "benchmark=mine", "method=RS").stdout
    shared = workplace.verb("plan", conf, "benchmark=mine", "method=RS", "n_workers=1,2").stdout

    assert "mine: 5 seed(s) are too few for `hpo compare` to give an interval" in few
    assert "too few" not in enough + alone
    assert "1 directories are those of several experiments" in shared


@pytest.mark.process
def test_many_jobs_and_waiting_for_them_are_said(workplace):
    out = workplace.verb(
        "plan", "method=RS", "num_seeds=21", *SAGEMAKER, "launcher.wait=true", "launcher.spot=true"
    ).stdout

    assert "21 jobs at once" in out
    assert "launcher.wait=true: the command stays here until all 21 jobs have ended" in out
    assert "launcher.spot=true: money and hours are of machines on demand" in out


@pytest.mark.process
def test_a_semi_synthetic_table_is_labelled(workplace):
    semi = workplace.verb("plan", "benchmark=hpobench_car", "method=RS", "num_seeds=1").stdout
    generated = workplace.verb("plan", "benchmark=mlp_digits_grid", "method=RS").stdout

    assert "semi-synthetic" in semi
    assert "semi-synthetic" not in generated


@pytest.mark.process
def test_a_method_that_does_not_fit_is_an_error_and_the_rest_is_planned(workplace):
    workplace.benchmark("once", resource_attr=None, max_resource_attr=None)
    out = workplace.verb("plan", f"--config-dir={workplace.path}/conf", "benchmark=once", "method=RS,ASHA")

    assert out.returncode == 1
    assert "once · ASHA: benchmark.max_resource_attr=null: this method stops trials early" in out.stdout
    assert "about 3 trials" in out.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["benchmark=mlp_digit"], "mlp_digit"),
        (["n_worker=2"], "n_worker"),
        (["benchmark=mlp_digits", "n_workers=0"], "n_workers=0"),
        (["--prices", "nowhere.yaml", "method=RS"], "nowhere.yaml"),
        (["method=RS", "seed=range(3,3)"], "there is no value in this"),
    ],
)
@pytest.mark.process
def test_what_cannot_be_planned_is_one_sentence(workplace, words, said):
    assert said in error_of(workplace.verb("plan", *words))
