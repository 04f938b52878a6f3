"""Conditions: what is used where, by brute force over whole spaces; mistakes in one sentence; and a real run with them."""

import csv
import io
import itertools
import zipfile
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

from hpo import load_config, load_experiment, run_experiment
from hpo.errors import ConfigError
from hpo.events.state import ExperimentState
from hpo.exporting.grid_table import table_of
from hpo.exporting.optuna_storage import add_study
from hpo.exporting.portable import pack
from hpo.exporting.tables import write_csv, write_parquet
from hpo.figures.space_charts import parallel, slices
from hpo.history.points import NOT_USED
from hpo.randomness import Randomness, canonical
from hpo.reports.experiment_page import experiment_page
from hpo.schedulers.construction import scheduler_of
from hpo.schedulers.replay import verify
from hpo.space.combinations import Combinations
from hpo.space.conditions import gates_first
from hpo.space.search_space import parse_space

OPTIMIZER = {"type": "choice", "values": ["sgd", "adam", "rmsprop"]}
LAYERS = {"type": "int", "lower": 1, "upper": 3}
UNIT = {"type": "float", "lower": 0.0, "upper": 1.0}
YAML = {
    "optimizer": OPTIMIZER,
    "lr": {"type": "float", "lower": 1e-5, "upper": 1.0, "log": True},
    "momentum": {**UNIT, "when": {"optimizer": "sgd"}},
    "layers": LAYERS,
    "units_2": {"type": "int", "lower": 16, "upper": 512, "log": True, "when": {"layers": {"lower": 2}}},
    "units_3": {"type": "int", "lower": 16, "upper": 512, "log": True, "when": {"layers": {"lower": 3}}},
    "warmup": {**UNIT, "when": {"optimizer": ["adam", "rmsprop"], "layers": {"upper": 2}}, "otherwise": 0.5},
}
SPACE = parse_space(YAML)


def used_by(spec, full):
    """The definition: names in the order of the file, all conditions true of gates that are used themselves."""
    found = {}
    for name, value in full.items():
        holds = []
        for gate, wanted in spec[name].get("when", {}).items():
            if isinstance(wanted, dict):
                least, most = (wanted.get(end, found.get(gate)) for end in ("lower", "upper"))
                holds.append(gate in found and least <= found[gate] <= most)
            else:
                listed = wanted if isinstance(wanted, list) else [wanted]
                holds.append(gate in found and found[gate] in listed)
        if all(holds):
            found[name] = value
    return found


@st.composite
def spaces(draw):
    """Up to seven finite hyperparameters, of which each may depend on up to two of those before it."""
    spec, axes = {}, {}
    for index in range(draw(st.integers(2, 6))):
        name, size = f"h{index}", draw(st.integers(1, 3))
        kind = draw(st.sampled_from(["choice", "ordinal", "int"]))
        axes[name] = list(range(4, 4 + 2 * size, 2)) if kind == "int" else list("abc"[:size])
        spec[name] = {"type": kind, "values": axes[name]}
        if kind == "int":
            spec[name] = {"type": "int", "lower": 4, "upper": axes[name][-1] + 1, "step": 2}
        when = {}
        for gate in draw(st.lists(st.sampled_from(list(spec)[:-1]), unique=True, max_size=2)) if index else ():
            if spec[gate]["type"] == "choice" or draw(st.booleans()):
                when[gate] = draw(st.lists(st.sampled_from(axes[gate]), unique=True, min_size=1))
            else:
                end = draw(st.sampled_from(["lower", "upper"]))
                when[gate] = {end: draw(st.sampled_from(axes[gate]))}
        if when:
            spec[name]["when"] = when
    return spec, axes


@given(spaces())
@settings(deadline=None, max_examples=100)
def test_a_space_is_enumerated_counted_numbered_and_drawn_as_brute_force_says(pair):
    spec, axes = pair
    full = (dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values()))
    found = [(values, used_by(spec, values)) for values in full]
    everything = {canonical(one) for _, one in found}
    if missing := set(spec) - {name for _, one in found for name in one}:
        with pytest.raises(ConfigError, match="never come together"):
            parse_space(spec)
        assert missing
        return
    space = parse_space(spec)
    listed = [canonical(one) for one in space.enumerate()]
    assert (set(listed), len(listed)) == (everything, len(everything))
    grid = space.grid(100)
    assert space.size == grid.count == len(everything)
    assert {canonical(grid.at(index)) for index in range(len(everything))} == everything
    for values, one in found:
        assert space.used(values) == one
        assert list(space.used(values)) == space.used_names(one) == list(one)
        assert space.complete(one, "p") == one
    covering = space.covering_configurations()
    assert covering[0] == space.default
    assert {name for one in covering for name in one} == set(spec)
    assert all(canonical(one) in everything for one in covering)
    assert len(covering) <= 1 + sum(len(axis) for axis in axes.values())


def test_names_are_in_the_order_of_the_file_and_what_is_not_used_is_absent():
    assert SPACE.default == {
        "optimizer": "sgd",
        "lr": pytest.approx(10**-2.5),
        "momentum": 0.5,
        "layers": 2,
        "units_2": 91,
    }
    assert list(SPACE.decode([0.5] * 7)) == ["optimizer", "lr", "layers", "units_2", "warmup"]
    assert SPACE.passed({"layers": 3}) == {"layers": 3, "warmup": 0.5}
    assert SPACE.passed({"layers": 3, "warmup": 0.1}) == {"layers": 3, "warmup": 0.1}


def test_a_draw_takes_one_number_per_name_whether_it_is_used_or_not():
    flat = parse_space(
        {name: {k: v for k, v in spec.items() if k not in ("when", "otherwise")} for name, spec in YAML.items()}
    )
    one, other = np.random.default_rng(1), np.random.default_rng(1)
    for _ in range(50):
        assert SPACE.sample(one) == used_by(YAML, flat.sample(other))


def test_gates_are_drawn_by_their_own_law_and_so_is_what_they_bring_along():
    rng = np.random.default_rng(0)
    drawn = [SPACE.sample(rng) for _ in range(6000)]
    for name in ("optimizer", "layers"):
        assert chisquare(list(Counter(one[name] for one in drawn).values())).pvalue > 1e-3
    momenta = [one["momentum"] for one in drawn if "momentum" in one]
    assert kstest(momenta, "uniform").pvalue > 1e-3
    units = np.array([one["units_3"] for one in drawn if "units_3" in one])
    expected = np.diff(np.log([15.5, 31.5, 63.5, 127.5, 255.5, 512.5])) / np.log(512.5 / 15.5)
    counts = np.histogram(units, [15.5, 31.5, 63.5, 127.5, 255.5, 512.5])[0]
    assert chisquare(counts, expected * len(units)).pvalue > 1e-3


def test_many_gates_before_what_depends_on_them_are_counted_without_listing_them():
    spec = {f"use_{i}": {"type": "choice", "values": [True, False]} for i in range(40)}
    spec |= {f"x_{i}": {"type": "int", "lower": 1, "upper": 9, "when": {f"use_{i}": True}} for i in range(40)}
    assert parse_space(spec).size == 10**40


def test_conditions_that_nobody_can_follow_are_refused():
    gates = {f"g{i}": {"type": "choice", "values": ["a", "b"]} for i in range(16)}
    pairs = {f"x{i}": {**UNIT, "when": {f"g{i}": "a", f"g{15 - i}": "a"}} for i in range(8)}
    late = {f"y{i}": {**UNIT, "when": {f"g{i}": "a", "last": "a"}} for i in range(16)}
    parse_space({**gates, **pairs})
    with pytest.raises(ConfigError, match=r"`when` distinguishes more than 10,000 combinations"):
        parse_space({**gates, "last": {"type": "choice", "values": ["a", "b"]}, **late})


def test_gates_come_first_and_else_the_order_stays():
    opt, names = {"type": "choice", "values": ["sgd", "adam"]}, ["zeta", "beta", "depth", "opt", "alpha"]
    specs = {
        "opt": opt,
        "depth": {**LAYERS, "when": {"opt": "sgd"}},
        "beta": {**UNIT, "when": {"depth": 2, "opt": "sgd"}},
    }
    space = {name: specs.get(name, UNIT) for name in names}
    ordered = gates_first(space)
    assert ordered == space
    assert [name for name in ordered if name not in ("beta", "depth")] == ["zeta", "opt", "alpha"]
    parse_space(ordered)
    assert list(gates_first(ordered)) == list(ordered)
    waiting = {"a": {**LAYERS, "when": {"b": 1}}, "b": {**LAYERS, "when": {"a": 1}}, "c": 3}
    assert gates_first(waiting) == waiting  # which is rejected where it is parsed


def test_an_int_of_any_size_is_cut_at_its_bounds():
    space = parse_space(
        {
            "n": {"type": "int", "lower": 1, "upper": 10**12, "step": 3},
            "a": {"type": "choice", "values": ["x", "y"], "when": {"n": {"lower": 5}}},
            "b": {"type": "choice", "values": ["x", "y", "z"], "when": {"n": [1, 10]}},
        }
    )
    count = (10**12 - 1) // 3 + 1
    assert (
        space.size == count + (count - 2) + (2 - 1) * 2 + 2 * 2 - 0 * count
    )  # a: n from 7 on; b: n = 1, and n = 10 with a
    assert isinstance(space.branches, Combinations)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"x": {**UNIT, "when": "sgd"}}, r"x\.when='sgd': use \{NAME: VALUE\}"),
        ({"x": {**UNIT, "when": {}}}, r"x\.when=\{\}: use \{NAME: VALUE\}"),
        (
            {"x": {**UNIT, "when": {"optimiser": "sgd"}}},
            r"x\.when\.optimiser: .*not in config_space; did you mean optimizer\?",
        ),
        ({"x": {**UNIT, "when": {"x": 1}}}, r"x\.when\.x: x waits for x; remove one"),
        (
            {"x": {**OPTIMIZER, "when": {"y": "sgd"}}, "y": {**OPTIMIZER, "when": {"x": "sgd"}}},
            r"x\.when\.y: x waits for y waits for x; remove one",
        ),
        ({"x": {**UNIT, "when": {"y": 1}}, "y": LAYERS}, r"x\.when\.y: y stands below x; move y above it"),
        ({"c": "adam", "x": {**UNIT, "when": {"c": "adam"}}}, r"x\.when\.c: c is the constant 'adam'; tune it"),
        ({"c": UNIT, "x": {**UNIT, "when": {"c": 0.5}}}, r"x\.when\.c: c is a float; only a choice"),
        (
            {"x": {**UNIT, "when": {"optimizer": "sdg"}}},
            r"x\.when\.optimizer='sdg': optimizer is never that but 'sgd', 'adam'",
        ),
        ({"x": {**UNIT, "when": {"optimizer": ["sgd", 3]}}}, r"x\.when\.optimizer=3: optimizer is never that"),
        ({"x": {**UNIT, "when": {"optimizer": None}}}, r"x\.when\.optimizer=null: name a value"),
        ({"x": {**UNIT, "when": {"optimizer": []}}}, r"x\.when\.optimizer=\[\]: it never holds"),
        (
            {"x": {**UNIT, "when": {"optimizer": {"lower": 2}}}},
            r"optimizer is a choice, which has no order; list its values",
        ),
        ({"n": LAYERS, "x": {**UNIT, "when": {"n": True}}}, r"x\.when\.n=True: n is never that"),
        ({"n": LAYERS, "x": {**UNIT, "when": {"n": {"least": 2}}}}, r"x\.when\.n=.*: use \{lower: …\}"),
        ({"n": LAYERS, "x": {**UNIT, "when": {"n": {"lower": "2"}}}}, r"x\.when\.n\.lower='2': a whole number"),
        ({"n": LAYERS, "x": {**UNIT, "when": {"n": {"lower": 1.5}}}}, r"x\.when\.n\.lower=1\.5: a whole number"),
        (
            {"n": LAYERS, "x": {**UNIT, "when": {"n": {"lower": 4}}}},
            r"x\.when\.n=\{'lower': 4\}: n is never that but 1 to 3",
        ),
        ({"n": LAYERS, "x": {**UNIT, "when": {"n": {"lower": 3, "upper": 2}}}}, r"n is never that but 1 to 3"),
        (
            {"n": {**LAYERS, "step": 2}, "x": {**UNIT, "when": {"n": {"lower": 2, "upper": 2}}}},
            r"n is never that but 1 to 3 in steps of 2",
        ),
        (
            {"o": {"type": "ordinal", "values": ["low", "high"]}, "x": {**UNIT, "when": {"o": {"lower": "middle"}}}},
            r"x\.when\.o\.lower='middle': one of its values is needed",
        ),
        (
            {"a": {**LAYERS, "when": {"optimizer": "sgd"}}, "x": {**UNIT, "when": {"optimizer": "adam", "a": 1}}},
            r"x\.when: optimizer='adam' and a=1 never come together",
        ),
        ({"x": {**UNIT, "otherwise": 0.0}}, r"x\.otherwise=0\.0: it is passed where `when` does not hold; add when"),
        ({"x": {**UNIT, "when": {"optimizer": "sgd"}, "otherwise": "none"}}, r"x\.otherwise='none': use a number"),
        ({"x": {**LAYERS, "when": {"optimizer": "sgd"}, "otherwise": 1.5}}, r"x\.otherwise=1\.5: use a whole number"),
        (
            {"x": {**OPTIMIZER, "when": {"optimizer": "sgd"}, "otherwise": [1]}},
            r"x\.otherwise=\[1\]: use a plain value",
        ),
        (
            {"a": {**UNIT, "when": {"optimizer": "sgd"}, "argument": "lr"}, "b": {**UNIT, "argument": "lr"}},
            r"b\.argument=lr: a has it too, and both can be used at once",
        ),
        (
            {
                "a": {**UNIT, "when": {"optimizer": "sgd"}, "argument": "lr", "otherwise": 0.1},
                "b": {**UNIT, "when": {"optimizer": "adam"}, "argument": "lr"},
            },
            r"a\.otherwise: a and b share the argument lr",
        ),
    ],
    ids=lambda value: str(value)[:70],
)
def test_a_wrong_condition_is_one_sentence_that_names_the_key(spec, sentence):
    with pytest.raises(ConfigError, match=sentence) as error:
        parse_space({"optimizer": OPTIMIZER, **spec})
    assert str(error.value).startswith("config_space.")
    assert "\n" not in str(error.value)


def test_two_may_share_an_argument_where_they_exclude_each_other():
    space = parse_space(
        {
            "optimizer": OPTIMIZER,
            "lr_sgd": {**UNIT, "when": {"optimizer": "sgd"}, "argument": "lr"},
            "lr_adam": {**UNIT, "when": {"optimizer": ["adam", "rmsprop"]}, "argument": "lr"},
        }
    )
    assert space.spelling == {"lr_sgd": "lr", "lr_adam": "lr"}


def test_bounds_of_an_ordinal_go_by_its_numbers_or_by_the_order_of_its_words():
    spec = {"o": {"type": "ordinal", "values": [64, 16, 32]}, "x": {**UNIT, "when": {"o": {"lower": 20}}}}
    assert [value for value in (16, 32, 64) if parse_space(spec).is_used("x", {"o": value})] == [32, 64]
    spec["o"], spec["x"] = {"type": "ordinal", "values": ["s", "m", "l"]}, {**UNIT, "when": {"o": {"upper": "m"}}}
    assert [value for value in "sml" if parse_space(spec).is_used("x", {"o": value})] == ["s", "m"]


def test_a_point_with_what_is_not_used_there_is_refused_and_one_without_what_is_gets_its_default():
    assert SPACE.complete({"optimizer": "adam", "layers": 1}, "p") == {
        **{"optimizer": "adam", "lr": SPACE.default["lr"], "layers": 1},
        "warmup": 0.5,
    }
    with pytest.raises(ConfigError, match=r"p: momentum=0\.9 is not used where optimizer='adam'; leave it out"):
        SPACE.complete({"optimizer": "adam", "momentum": 0.9}, "p")
    nested = parse_space(
        {"optimizer": OPTIMIZER, "a": {**LAYERS, "when": {"optimizer": "sgd"}}, "b": {**UNIT, "when": {"a": 1}}}
    )
    with pytest.raises(ConfigError, match=r"p: b=0\.5 is not used where a is not used"):
        nested.complete({"optimizer": "adam", "b": 0.5}, "p")


# ---------------------------------------------------------------------- a real run

SCRIPT = """
import argparse, os
from pathlib import Path
from hpo import report

parser = argparse.ArgumentParser()
parser.add_argument("--kind", required=True)
parser.add_argument("--depth", type=int, default=None)
parser.add_argument("--share", type=float, default=None)
parser.add_argument("--leaf", type=float, required=True)
parser.add_argument("--epochs", type=int, required=True)
args = parser.parse_args()
if (args.depth is not None) != (args.kind == "tree") or (args.share is not None) != (args.kind == "tree" and args.depth > 2):
    parser.error(f"what does not apply was given, or what does was not: {args}")
if args.kind == "line" and args.leaf != -1.0:
    parser.error("--leaf: -1 is expected")
checkpoint = Path(os.environ["HPO_CHECKPOINT_DIR"]) / "epoch"
done = int(checkpoint.read_text()) if checkpoint.exists() else 0
for epoch in range(done + 1, args.epochs + 1):
    checkpoint.write_text(str(epoch))
    report(epoch=epoch, loss=(args.share or 0.5) ** 2 + (args.depth or 3) / 9 + 1 / epoch)
"""
BENCHMARK = {
    "name": "strict",
    "metric": "loss",
    "mode": "min",
    "resource_attr": "epoch",
    "max_resource_attr": "epochs",
    "config_space": {
        "kind": {"type": "choice", "values": ["tree", "line"]},
        "depth": {"type": "int", "lower": 1, "upper": 4, "when": {"kind": "tree"}},
        "share": {**UNIT, "when": {"depth": {"lower": 3}}},
        "leaf": {**UNIT, "when": {"kind": "tree"}, "otherwise": -1.0},
    },
    "arguments": {"epochs": 3},
    "n_workers": 2,
    "num_gpus_per_trial": 0,
}
NAMES = list(BENCHMARK["config_space"])


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """The strict script."""
    path = tmp_path_factory.mktemp("strict") / "strict.py"
    path.write_text(SCRIPT)
    return str(path)


@pytest.fixture(scope="module")
def strict(script, tmp_path_factory):
    """ASHA-GP over it: ended by its budget, resumed with a larger one, its decisions verified."""
    directory = tmp_path_factory.mktemp("work") / "outputs" / "t" / "strict" / "ASHA-GP" / "seed_0"
    config = load_config(
        {**BENCHMARK, "script": script}, "ASHA-GP", experiment_tag="t", random_seed=3, max_num_trials=9
    )
    first = load_experiment(run_experiment(config, directory).directory)
    again = load_experiment(run_experiment(replace(config, max_num_trials=18), directory).directory)
    assert again.events[: len(first.events)] == first.events
    found = verify(scheduler_of(again.config), ExperimentState(again.config.objective), enumerate(again.events), [0])
    assert list(found) == []
    return again


@pytest.mark.process
def test_a_script_that_rejects_what_does_not_apply_is_never_given_it(strict):
    trials = strict.state.trials.values()
    assert len(trials) == 18
    assert {trial.status.value for trial in trials} <= {"completed", "paused"}
    patterns = Counter(tuple(trial.trial.configuration) for trial in trials)
    assert set(patterns) == {("kind",), ("kind", "depth", "leaf"), ("kind", "depth", "share", "leaf")}
    assert patterns["kind",] == 1, "without anything else there is one such configuration"


@pytest.mark.process
def test_an_experiment_starts_from_one_with_conditions_and_from_its_portable_file(strict, script, tmp_path):
    """By name, the first condition (`depth`) comes before what decides on it (`kind`)."""
    best = {name: strict.best["configuration"][name] for name in NAMES if name in strict.best["configuration"]}
    pack([strict.directory], tmp_path / "strict.zip")
    for number, source in enumerate((strict.directory, tmp_path / "strict.zip")):
        config = load_config(
            {**BENCHMARK, "script": script}, "RS", random_seed=4, max_num_trials=1, warm_start=[str(source)]
        )
        made = load_experiment(run_experiment(config, tmp_path / str(number)).directory)
        assert made.state.trials[0].trial.configuration == best


@pytest.mark.process
def test_what_is_not_used_is_an_empty_cell_everywhere(strict, tmp_path):
    with zipfile.ZipFile(strict.directory / "results.csv.zip") as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("results.csv").decode())))
    write_csv([strict], tmp_path / "a.csv")
    write_parquet([strict], tmp_path / "a.parquet")
    flat, packed = pd.read_csv(tmp_path / "a.csv"), pd.read_parquet(tmp_path / "a.parquet")
    assert len(rows) == len(flat) == len(packed)
    for number, row in enumerate(rows):
        used = strict.state.trials[int(row["trial_id"])].trial.configuration
        for name in NAMES:
            assert (row[f"config_{name}"] != "") == (name in used)
            assert (
                pd.notna(flat[f"config_{name}"][number]) == pd.notna(packed[f"config_{name}"][number]) == (name in used)
            )
    assert list(strict.trials.filter(like="config_")) == [f"config_{name}" for name in NAMES]
    best = yaml.safe_load((strict.directory / "best.yaml").read_text())
    assert best["configuration"] == strict.best["configuration"]
    assert all((f"{name}: " in best["overrides"][0]) == (name in best["configuration"]) for name in NAMES)


@pytest.mark.process
def test_optuna_gets_the_parameters_that_were_used(strict):
    import optuna

    storage = optuna.storages.InMemoryStorage()
    add_study(optuna, storage, strict)
    (study,) = storage.get_all_studies()
    found = [trial.params for trial in storage.get_all_trials(study._study_id)]
    assert found == [trial.trial.configuration for trial in strict.state.trials.values()]


@pytest.mark.process
def test_charts_have_a_lane_for_what_is_not_used(strict, tmp_path):
    (panel,) = parallel(strict).panels
    assert sum(note[2] == "not used" for note in panel.notes) == 3
    line = next(trial.trial.id for trial in strict.state.trials.values() if len(trial.trial.configuration) == 1)
    series = next(one for one in panel.series if f"trial {line}:" in " ".join(one["labels"]))
    start = next(i for i, label in enumerate(series["labels"]) if label.startswith(f"trial {line}:"))
    assert [y == NOT_USED for y in series["y"][start : start + 5]] == [False, True, True, True, False]
    panels = {
        panel.x["title"]: sum(x is not None for one in panel.series for x in one["x"])
        for panel in slices(strict).panels
    }
    assert panels == Counter(name for trial in strict.state.trials.values() for name in trial.trial.configuration)
    assert "not used" in experiment_page(strict, tmp_path / "r.html")


@pytest.mark.process
def test_a_recorded_table_knows_what_is_not_used(script, tmp_path):
    grid = {**BENCHMARK["config_space"], "share": {"type": "ordinal", "values": [0.1, 0.9], "when": {"depth": [3, 4]}}}
    grid["leaf"] = {"type": "ordinal", "values": [0.5], "when": {"kind": "tree"}, "otherwise": -1.0}
    benchmark = {**BENCHMARK, "script": script, "config_space": grid, "points_to_evaluate": []}
    config = load_config(benchmark, "GRID", seed=0, random_seed=0)
    recorded = run_experiment(config, tmp_path / "e")
    table = table_of([load_experiment(recorded.directory)], "strict", "a test")
    assert len(table.seconds) == 1 + 2 + 2 * 2  # line; depths 1 and 2; depths 3 and 4 with two shares
    table.save(tmp_path / "strict")
    again = type(table)(table.about, table.hyperparameters, table.metrics, table.seconds)
    for configuration in parse_space(grid).enumerate():
        loss = configuration.get("share", 0.5) ** 2 + configuration.get("depth", 3) / 9 + 1 / 3
        assert again.training(configuration, 0)[0]["loss"][-1] == pytest.approx(loss)
    space = parse_space(grid)
    again.check_space(space)
    simulated = load_config(
        {**benchmark, "script": None, "table": str(tmp_path / "strict")},
        "ASHA",
        seed=0,
        random_seed=0,
        max_num_trials=7,
    )
    found = load_experiment(run_experiment(simulated, tmp_path / "s").directory)
    tried = {canonical(trial.trial.configuration) for trial in found.state.trials.values()}
    assert tried == {canonical(one) for one in space.enumerate()}


def test_a_training_seed_is_that_of_what_is_used_alone():
    randomness = Randomness(1, 2)
    one, other = SPACE.decode([0.4, *[0.5] * 6]), SPACE.decode([0.4, 0.5, 0.9, *[0.5] * 4])
    assert one == other
    assert randomness.training_seed(one) == randomness.training_seed(other)
