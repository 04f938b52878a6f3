"""`hpo compare` and `hpo.analysis.compare`: on experiments written as the tuner writes them, with known results."""

import contextlib
import json
import math
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from html import escape, unescape
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import hpo.analysis
from hpo.analysis import compare
from hpo.analysis.loading import load_runs
from hpo.config.reading import load_config, resolve, to_yaml
from hpo.errors import ConfigError, StoreError
from hpo.events.types import Event, Kind
from hpo.results.files import write_metadata
from hpo.store.directory import ExperimentDirectory
from hpo.store.event_store import Store
from tests.conftest import error_of, succeeded

BENCHMARK = {
    "name": "mine",
    "script": "train.py",
    "metric": "loss",
    "mode": "min",
    "resource_attr": "epoch",
    "max_resource_attr": "epochs",
    "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
    "arguments": {"epochs": 3},
    "n_workers": 2,
    "max_wallclock_time": 100.0,
    "num_gpus_per_trial": 0,
}
YAML: dict[str, str] = {}


@dataclass
class Written:
    """Experiments in a folder; each trial makes one report at (elapsed, value)."""

    path: Path

    def run(
        self,
        method,
        seed,
        reports,
        *,
        tag="t",
        finished="max_wallclock_time=100 s is over",
        end=100.5,
        benchmark=None,
        settings=None,
        metadata=None,
        **keys,
    ):
        """Write one experiment."""
        content = {**BENCHMARK, **(benchmark or {})}
        plain = load_config(content, method, experiment_tag=tag, random_seed=keys.pop("random_seed", 7), **keys)
        key = repr((content, method, tag, settings, sorted(keys.items()), plain.random_seed))
        config = replace(resolve(plain), seed=seed)
        for name, value in (settings or {}).items():
            config.method.scheduler[name] = value
        files = ExperimentDirectory(self.path / tag / config.benchmark.name / method / f"seed_{seed}")
        files.path.mkdir(parents=True)
        if key not in YAML:
            YAML[key] = to_yaml(replace(config, seed=0))
        files.config.write_text(YAML[key].replace("\nseed: 0\n", f"\nseed: {seed}\n"))
        write_metadata(files, config, **(metadata or {}))
        events = [Event(Kind.OPENED, 0.0, 0.0, body={"host": "here", "pid": 1})]
        for trial, (elapsed, value) in enumerate(reports):
            body = {"configuration": {"x": 0.5}, "until": None}
            events.append(Event(Kind.STARTED, elapsed, 0.0, trial, 0, None, body))
            metrics = {config.benchmark.metric: value, "epoch": 1}
            body = {"metrics": metrics, "decision": "CONTINUE", "position": 10}
            events.append(Event(Kind.REPORTED, elapsed, 0.0, trial, 0, 1, body))
        if finished:
            events.append(Event(Kind.FINISHED, end, 0.0, body={"reason": finished}))
        else:
            events.append(Event(Kind.NOTED, end, 0.0, body={"text": "-"}))
        store = Store(files.events)
        store.append(events)
        store.close()
        assert config.objective.metric == config.benchmark.metric
        return files.path

    def pair(self, seeds, *, tag="t", **keys):
        """RS and ASHA, which finds the same about twice as early: 1, about 0.5, 0.1."""
        for seed in range(seeds):
            reports = [(8.0, 1.0), (20.0 + seed % 3, 0.5 + 0.01 * (seed % 5)), (80.0 + seed % 4, 0.1)]
            self.run("RS", seed, reports, tag=tag, **keys)
            faster = 2 + 0.1 * (seed * 7 % 5 - 2)
            self.run("ASHA", seed, [(t / faster, v) for t, v in reports], tag=tag, **keys)

    def noise(self, seeds, methods=("RS", "ASHA"), tag="t", **keys):
        """Methods that differ by chance only."""
        random = np.random.default_rng(0)
        for seed in range(seeds):
            for method in methods:
                times, values = np.sort(random.uniform(5, 99, 4)), random.uniform(0, 1, 4)
                self.run(method, seed, list(zip(times.tolist(), values.tolist(), strict=True)), tag=tag, **keys)


@pytest.fixture
def written(tmp_path):
    return Written(tmp_path)


def by(frame, **keys):
    """The rows of a frame in which columns have the given values."""
    for name, value in keys.items():
        frame = frame[frame[name] == value]
    return frame


class TestScores:
    """Numbers worked out by hand."""

    @pytest.fixture
    def two(self, written):
        written.run("RS", 0, [(5.0, 1.0), (50.0, 0.6), (90.0, 0.4), (100.2, 0.0)])
        written.run("ASHA", 0, [(20.0, 0.5), (40.0, 0.2)])
        written.run("RS", 1, [(10.0, 0.8), (60.0, 0.3)])
        written.run("ASHA", 1, [(10.0, math.nan), (30.0, 0.8), (31.0, math.inf)])
        return compare(written.path / "t")

    def test_the_scale_runs_from_the_best_of_all_to_the_median_trial_of_the_baseline(self, two):
        (scale,) = [one.scale for one in two.scored]
        assert scale.best == 0.0, "also what came after the common budget counts as known"
        assert scale.reference == np.median([1.0, 0.6, 0.4, 0.0, 0.8, 0.3])
        assert (scale.start, scale.end) == (10, 100), "the wall-clock budget, though all ran on for half a second"

    def test_final_values_are_those_at_the_common_budget(self, two):
        values = {(row.method, row.seed): row.value for row in two.scores.itertuples()}
        assert values == {("RS", 0): 0.4, ("ASHA", 0): 0.2, ("RS", 1): 0.3, ("ASHA", 1): 0.8}
        regrets = {(row.method, row.seed): row.final for row in two.scores.itertuples()}
        assert regrets[("RS", 0)] == pytest.approx(0.4 / 0.5)
        assert regrets[("ASHA", 1)] == 1, "worse than the reference is cut to 1"

    def test_the_anytime_score_is_the_mean_over_log_time_with_1_before_the_first_result(self, two):
        (found,) = by(two.scores, method="ASHA", seed=0).anytime
        expected = (math.log(20 / 10) * 1 + math.log(40 / 20) * 1 + math.log(100 / 40) * 0.4) / math.log(10)
        assert found == pytest.approx(expected)  # at 20 s a loss of .5 is the reference itself: regret 1

    def test_ranks_are_those_of_scipy_per_seed(self, two):
        assert list(by(two.scores, seed=0).set_index("method").rank_final) == [1, 2]
        assert list(by(two.scores, seed=1).set_index("method").rank_final) == [2, 1]
        assert two.methods.set_index("method").rank_final.to_dict() == {"ASHA": 1.5, "RS": 1.5}

    def test_the_target_is_the_median_of_the_baselines_final_values_and_misses_are_censored(self, two):
        (speed,) = two.speedups.to_dict("records")
        assert two.scored[0].target == pytest.approx(0.35)
        assert speed["method_time"] == (40 + 100) / 1
        assert speed["baseline_time"] == (100 + 60) / 1
        assert speed["ratio"] == pytest.approx(160 / 140)
        assert (speed["method_reached"], speed["baseline_reached"]) == (0.5, 0.5)
        assert math.isnan(speed["low"]), "one success each says nothing of the error"

    def test_trajectories_have_a_row_per_improvement(self, two):
        rows = by(two.trajectories, method="RS", seed=0)
        assert list(rows.elapsed) == [5, 50, 90, 100.2]
        assert list(rows.value) == [1, 0.6, 0.4, 0]
        assert list(rows.regret) == pytest.approx([1, 1, 0.8, 0])

    def test_a_metric_that_is_maximised_gives_the_same_scores(self, written, two):
        for run in two.scored[0].block.loaded:
            reports = [(t, -v) for t, v in zip(run.trajectory.times, run.trajectory.losses, strict=True)]
            written.run(run.label, run.seed, reports, tag="up", benchmark={"mode": "max"})
        up = compare(written.path / "up")
        assert list(up.scores.value) == pytest.approx([-v for v in two.scores.value])
        assert up.scored[0].scale.best == two.scored[0].scale.best

    def test_a_tables_optimum_is_the_best(self, written):
        written.noise(2, metadata={"table_optimum": -1.0})
        (scale,) = [one.scale for one in compare(written.path).scored]
        assert (scale.best, scale.best_is) == (-1, "the table's optimum")

    def test_budgets_can_be_given(self, written):
        written.pair(2)
        (scale,) = [one.scale for one in compare(written.path, metric_budget=(5, 40)).scored]
        assert (scale.start, scale.end) == (5, 40)
        (scale,) = [one.scale for one in compare(written.path, metric_budget=(None, 40)).scored]
        assert (scale.start, scale.end) == (4, 40)
        with pytest.raises(ConfigError, match=r"metric_budget=200: .*/seed_\d has only 100\.5 s; use at most 100"):
            compare(written.path, metric_budget=(None, 200))
        with pytest.raises(ConfigError, match="metric_budget=40:40: begin above 0 and below the end"):
            compare(written.path, metric_budget=(40, 40))


@pytest.mark.long
class TestVerdict:
    """What is said, and what is not."""

    def test_twice_as_fast_is_said_to_be_twice_as_fast(self, written):
        written.pair(12)
        result = compare(written.path, baseline="RS")
        (speed,) = result.speedups.to_dict("records")
        assert speed["low"] < 2 < speed["high"]
        sentence = result.sentences[1]
        said = r"ASHA reaches RS's final loss of 0\.1 2 times sooner, 95 % CI \S+ to \S+ \(expected 41.* s against 81.* s\)"
        assert re.match(said, sentence)
        assert result.sentences[0] == "12 seeds on mine:"
        assert "says nothing" in result.sentences[-1]

    def test_the_same_numbers_stand_in_pairs_and_agree_with_scipy(self, written):
        written.noise(12)
        result = compare(written.path)
        frame = result.scores.pivot(index="seed", columns="method", values="anytime")
        differences = (frame["ASHA"] - frame["RS"]).to_numpy()
        (pair,) = by(result.pairs, score="anytime").to_dict("records")
        assert pair["difference"] == pytest.approx(stats.trim_mean(differences, 0.25))
        assert pair["wilcoxon"] == pytest.approx(stats.wilcoxon(differences).pvalue)
        assert pair["probability"] == np.mean(differences < 0)
        assert pair["low"] < pair["difference"] < pair["high"]

    def test_chance_is_not_told_apart_and_the_seeds_that_would_are_named(self, written):
        written.noise(12)
        result = compare(written.path)
        (pair,) = by(result.pairs, score="anytime").to_dict("records")
        assert not pair["distinct"]
        better, worse = ("ASHA", "RS") if pair["difference"] < 0 else ("RS", "ASHA")
        size = abs(pair["difference"])
        assert size >= 0.03
        assert (
            f"ASHA and RS cannot be told apart: {better} looks better, its anytime regret is {size:.3f} lower than {worse}'s"
            in result.verdict
        )
        assert re.search(r"95 % CI 0\.\d{3} lower to 0\.\d{3} higher", result.verdict)
        z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
        more = math.ceil((z * pair["spread"] / size) ** 2) + 8 - 12
        assert (
            f"about {more} more seeds would show a difference as large as this one, if it is real, and {pair['more_seeds']} "
            f"one of 0.03 (as the table says)"
        ) in result.verdict
        planned = compare(written.path, delta=0.07)
        assert (
            f"about {planned.pairings[0].more_seeds} more seeds would show a difference of 0.07 if there is one"
            in planned.verdict
        )
        assert "sooner" not in result.verdict

    def test_who_looks_better_does_not_hang_on_who_is_named_first(self, written):
        written.noise(12)
        sentences = {compare(written.path, baseline=baseline).sentences[1] for baseline in ("RS", "ASHA")}
        one, other = (sentence.partition(": ")[2].partition(",")[0] for sentence in sentences)
        assert one == other

    def test_where_nothing_can_be_told_apart_one_sentence_says_so(self, written):
        written.noise(8, methods=("RS", "ASHA", "SOBOL"))
        result = compare(written.path)
        pairs = by(result.pairs, score="anytime")
        most = pairs.loc[pairs.difference.abs().idxmax()]
        assert not pairs.distinct.any()
        _, sentence, last = result.sentences
        assert "says nothing" in last
        assert f"can be told apart. Of all pairs {most['first']} and {most['second']} differ most: " in sentence

    def test_more_seeds_are_fewer_for_a_larger_difference(self, written):
        written.noise(12)
        needed = [compare(written.path, delta=delta).pairings[0].more_seeds for delta in (0.03, 0.1, 0.5)]
        assert needed == sorted(needed, reverse=True)
        assert needed[0] > needed[2]

    def test_an_interval_that_the_test_does_not_confirm_is_not_enough(self, written):
        for seed in range(12):
            faster = 10 + seed % 4 if seed < 10 else 90  # ten times a little better, twice far worse
            written.run("RS", seed, [(5.0, 1.0), (20.0, 0.0)])
            written.run("ASHA", seed, [(5.0, 1.0), (float(faster), 0.0)])
        result = compare(written.path)
        (pair,) = by(result.pairs, score="anytime").to_dict("records")
        assert pair["high"] < 0
        assert pair["sign_flip_holm"] > 0.05
        assert "cannot be told apart" in result.sentences[1]
        assert "the interval excludes 0, but the sign-flip test does not confirm it, p = 0." in result.sentences[1]

    def test_few_seeds_never_show_anything(self, written):
        written.pair(5)
        result = compare(written.path)
        assert "Too few seeds to tell any methods apart: 5 pairs can give no p-value below 0.062" in result.verdict
        assert "sooner" not in result.verdict
        assert "is ahead" not in result.verdict

    def test_one_seed_is_compared_but_shows_nothing(self, written):
        written.pair(1)
        result = compare(written.path)
        assert "1 seed on mine" in result.verdict
        assert "one seed does not even say how many would be needed" in result.verdict
        assert "?" in result.text()

    def test_equal_methods_are_called_equal(self, written):
        for seed in range(8):
            for method in ("RS", "ASHA"):
                written.run(method, seed, [(8.0, 1.0), (20.0, 0.5 + seed / 100)])
        assert "ASHA and RS gave the same anytime regret on every seed" in compare(written.path).verdict

    def test_a_method_that_is_behind_is_said_to_be_behind(self, written):
        written.pair(12)
        assert re.search(
            r"ASHA is ahead of RS: its anytime regret is 0\.\d+ lower", compare(written.path, baseline="ASHA").verdict
        )

    def test_a_narrow_interval_about_zero_rules_a_difference_out(self, written):
        for seed in range(12):
            shift = 0.02 * (-1) ** seed * (1 + seed // 2 % 3)
            written.run("RS", seed, [(5.0, 1.0), (12.0, 0.5), (13.0, 0.0)])
            written.run("ASHA", seed, [(5.0, 1.0), (12.0 + shift, 0.5), (13.0 + shift, 0.0)])
        assert "a difference of 0.03 is ruled out" in compare(written.path).verdict

    def test_all_pairs_are_corrected_together(self, written):
        written.noise(8, methods=("RS", "ASHA", "SOBOL"))
        result = compare(written.path, score="final")
        pairs = by(result.pairs, score="final")
        assert len(pairs) == 3
        assert (pairs.comparisons == 3).all()
        assert (pairs.sign_flip_holm >= pairs.sign_flip).all()
        assert pairs.sign_flip_holm.min() == pytest.approx(min(1, 3 * pairs.sign_flip.min()))

    def test_several_benchmarks_are_strata(self, written):
        written.pair(6)
        written.pair(6, benchmark={"name": "other"})
        result = compare(written.path)
        assert "6 seeds on each of 2 benchmarks" in result.verdict
        assert "RS's final values" in result.verdict
        overall = result.speedups[result.speedups.benchmark.isna()]
        single = result.speedups[~result.speedups.benchmark.isna()]
        assert float(overall.ratio.iloc[0]) == pytest.approx(stats.gmean(single.ratio))
        assert {"mine", "other"} == set(result.scores.benchmark)

    def test_semi_synthetic_data_are_labelled(self, written):
        written.pair(6, metadata={"data_label": "semi-synthetic"})
        result = compare(written.path)
        assert "SEMI-SYNTHETIC data" in result.text().splitlines()[0]
        assert "6 seeds on mine (semi-synthetic data):" in result.verdict
        assert result.to_dict()["benchmarks"][0]["data_label"] == "semi-synthetic"

    def test_the_same_data_give_the_same_output(self, written):
        written.noise(14)
        first, second = compare(written.path), compare(written.path)
        assert first.text() == second.text()
        assert first.to_dict() == second.to_dict()
        assert compare(written.path, random_seed=1).to_dict() != first.to_dict()

    @pytest.mark.long
    def test_nothing_is_wider_than_a_terminal(self, written):
        written.noise(8, methods=("RS", "ASHA", "ASHA-STOP", "HYPERBAND"))
        written.noise(8, methods=("RS", "ASHA", "ASHA-STOP", "HYPERBAND"), benchmark={"name": "other"})
        assert max(map(len, compare(written.path).text().splitlines())) <= 100

    def test_a_notebook_shows_the_same_tables_and_verdict(self, written):
        written.noise(8)
        result = compare(written.path)
        html = result._repr_html_()
        cells = [
            cell for table in re.findall(r"<table>.*?</table>", html) for cell in re.findall(r"<td>(.*?)</td>", table)
        ]
        text = " ".join(result.text().split())
        assert cells
        assert all(" ".join(unescape(cell).split()) in text for cell in cells)
        assert escape(result.sentences[0]) in html
        assert not re.search("<(script|style|link)", html)


class TestRefusals:
    """What is not compared, and what is said instead."""

    def test_one_method_is_no_comparison(self, written):
        written.run("RS", 0, [(8.0, 1.0)])
        with pytest.raises(ConfigError, match=r"only RS to compare among 1 experiment.*method=RS,ASHA"):
            compare(written.path)

    def test_nothing_is_there(self, tmp_path):
        with pytest.raises(StoreError, match="there is no experiment"):
            compare(tmp_path)
        with pytest.raises(ConfigError, match="nothing to compare"):
            compare([])

    def test_unequal_seeds_leave_the_common_ones(self, written):
        written.pair(4)
        written.run("RS", 7, [(8.0, 1.0)])
        written.run("RS", 8, [(8.0, 1.0)])
        result = compare(written.path)
        assert set(result.scores.seed) == {0, 1, 2, 3}
        assert (
            "mine: seeds are unequal, only the common seeds 0-3 are compared; left out: RS seeds 7-8" in result.warnings
        )
        assert "only the common seeds 0-3" in " ".join(result.text().split())

    def test_no_common_seed_is_refused(self, written):
        written.run("RS", 0, [(8.0, 1.0)])
        written.run("ASHA", 1, [(8.0, 1.0)])
        with pytest.raises(ConfigError, match="ASHA has seed 1; RS has seed 0"):
            compare(written.path)

    def test_a_benchmark_that_a_method_lacks_is_left_out(self, written):
        written.pair(2)
        written.run("RS", 0, [(8.0, 1.0)], benchmark={"name": "other"})
        assert "left out other: it has no experiment of ASHA" in compare(written.path).warnings

    def test_seeds_that_start_from_different_earlier_results_are_not_one_group(self, written):
        warm = {"warm_start": ["first"]}
        for seed, digest in ((0, "a" * 64), (1, "b" * 64)):
            written.run("RS", seed, [(8.0, 1.0)])
            written.run("ASHA", seed, [(8.0, 0.5)], **warm, warm_start_sha256=digest)
        with pytest.raises(
            ConfigError, match=r"ASHA: .*seed_0 starts from the points of earlier results aaaaaaaa, and .*bbbb"
        ):
            compare(written.path)

    def test_a_method_with_and_without_earlier_results_is_two_and_two_starts_are_not_compared(self, written):
        warm = {"warm_start": ["first"], "warm_start_sha256": "a" * 64}
        for seed in (0, 1):
            written.run("ASHA", seed, [(8.0, 0.5)], tag="cold")
            written.run("ASHA", seed, [(8.0, 0.4)], tag="warm", **warm)
        found = compare(written.path)
        assert set(found.methods.method) == {"ASHA [cold]", "ASHA [warm]"}
        assert "mine: ASHA [warm] start(s) from earlier results, which the others do not have" in found.warnings
        for seed in (0, 1):
            written.run("RS", seed, [(8.0, 0.4)], **{**warm, "warm_start_sha256": "b" * 64})
        with pytest.raises(ConfigError, match="run all methods by one command, so that they start from the same"):
            compare(written.path)

    def test_different_random_seeds_are_not_paired(self, written):
        for seed in range(8):
            written.run("RS", seed, [(8.0, 1.0), (9.0, 0.2)], tag="a", random_seed=1)
            written.run("ASHA", seed, [(8.0, 1.0), (9.0, 0.3)], tag="b", random_seed=2)
        places = [written.path / "a", written.path / "b"]
        with pytest.raises(
            ConfigError, match=r"not paired, random_seed is 2 in .*ASHA/seed_0 and 1 in .*RS/seed_0; run"
        ):
            compare(places)
        (warning,) = compare(places, unpaired=True).warnings
        assert "independent" in warning

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"benchmark": {"mode": "max"}}, "benchmark.mode is max in .* and min in"),
            ({"benchmark": {"arguments": {"epochs": 9}}}, r"benchmark.arguments.epochs is 9 in .* and 3 in"),
            (
                {"benchmark": {"config_space": {"x": {"type": "float", "lower": 0.0, "upper": 9.0}}}},
                "config_space.x.upper",
            ),
            ({"metadata": {"backend": "Simulated"}}, "backend is Simulated in .* and LocalBackend in"),
        ],
    )
    def test_unequal_conditions_are_refused(self, written, change, said):
        written.run("RS", 0, [(8.0, 1.0)], metadata={"backend": "LocalBackend"})
        written.run("ASHA", 0, [(8.0, 1.0)], **{"metadata": {"backend": "LocalBackend"}, **change})
        with pytest.raises(ConfigError, match=f"mine: .*{said}.*equal conditions"):
            compare(written.path)

    def test_what_may_differ_between_machines_is_compared_and_said(self, written):
        machine = {"arguments_of_the_machine": ["data_dir"]}
        given = BENCHMARK.get("arguments", {})
        written.run("RS", 0, [(8.0, 1.0)], benchmark={"arguments": {**given, "data_dir": "/a"}, **machine})
        written.run(
            "ASHA", 0, [(8.0, 1.0)], benchmark={"arguments": {**given, "data_dir": "/b"}, **machine}, n_workers=4
        )
        (warning,) = [w for w in compare(written.path).warnings if "n_workers" in w]
        assert warning.startswith("mine: n_workers differs (2, 4)")

    def test_workers_that_changed_within_an_experiment_are_said(self, written):
        written.pair(1)
        store = Store(written.path / "t/mine/RS/seed_0/events.db")
        for workers in (2, 2, 4):
            store.append([Event(Kind.OPENED, 100.5, 0.0, body={"n_workers": workers})])
        store.append([Event(Kind.FINISHED, 100.5, 0.0, body={"reason": "max_wallclock_time=100 s is over"})])
        store.close()
        (warning,) = [w for w in compare(written.path).warnings if "n_workers" in w]
        assert "n_workers changed within" in warning
        assert "RS/seed_0 (from 2 to 4)" in warning

    def test_different_budgets_are_compared_within_the_smaller(self, written):
        written.run("RS", 0, [(8.0, 1.0)])
        written.run("ASHA", 0, [(8.0, 1.0), (70.0, 0.1)], max_wallclock_time=60, end=60.1)
        result = compare(written.path)
        assert (
            "mine: max_wallclock_time differs (100.0, 60.0); compared within the time that all reached"
            in result.warnings
        )
        assert result.scored[0].scale.end == 60

    def test_another_price_of_a_device_is_no_other_budget(self, written):
        written.run("RS", 0, [(8.0, 1.0)], device_price=1.0)
        written.run("ASHA", 0, [(8.0, 1.0)], device_price=2.0)
        assert [warning for warning in compare(written.path).warnings if "differs" in warning] == []

    def test_incomplete_experiments_are_left_out_unless_they_are_wanted(self, written):
        written.pair(3)
        written.run("RS", 3, [(8.0, 1.0)], finished=None, end=30.0)
        written.run("ASHA", 3, [(8.0, 1.0)])
        result = compare(written.path)
        assert any("left out 1 experiment(s) that are not complete" in warning for warning in result.warnings)
        assert set(result.scores.seed) == {0, 1, 2}
        wanted = compare(written.path, include_incomplete=True)
        assert set(wanted.scores.seed) == {0, 1, 2, 3}
        assert wanted.scored[0].scale.end == 30
        assert any("taken as far as they got" in warning for warning in wanted.warnings)

    def test_experiments_that_somebody_has_steered_are_left_out_unless_they_are_wanted(self, written):
        written.pair(4)
        for seed, command in ((1, "stop"), (2, "hold"), (3, "budget")):
            place = written.path / "t" / "mine" / "RS" / f"seed_{seed}" / "events.db"
            body = {"id": "1", "command": command, "arguments": {}, "by": "me", "accepted": True, "old": {}, "new": {}}
            with contextlib.closing(Store(place)) as store:
                store.append([Event(Kind.COMMANDED, 99.0, 0.0, 0 if command == "stop" else None, body=body)])
        result = compare(written.path)
        assert set(result.scores.seed) == {0, 3}
        assert any("left out 2 experiment(s) that were steered while they ran" in text for text in result.warnings)
        wanted = compare(written.path, include_steered=True)
        assert set(wanted.scores.seed) == {0, 1, 2, 3}
        assert any("seeds do not pair them" in text for text in wanted.warnings)

    def test_only_incomplete_experiments_are_refused_with_the_way_out(self, written):
        for method in ("RS", "ASHA"):
            written.run(method, 0, [(8.0, 1.0)], finished=None)
        with pytest.raises(ConfigError, match="--include-incomplete"):
            compare(written.path)

    def test_experiments_that_ended_early_say_so(self, written):
        for method, end in (("RS", 90.0), ("ASHA", 40.0)):
            written.run(method, 0, [(8.0, 1.0)], finished="max_num_trials=5 trials are over", end=end)
        (warning,) = [w for w in compare(written.path).warnings if "ended after" in w]
        assert "ended after 40 to 90 s, and are compared up to 40 s" in warning

    def test_after_an_exhausted_space_nothing_more_can_be_found(self, written):
        reason = "the search space is exhausted: all 9 configurations are tried"
        written.run("RS", 0, [(8.0, 1.0), (9.0, 0.5)], finished=reason, end=20.0)
        written.run("ASHA", 0, [(8.0, 1.0)])
        result = compare(written.path)
        assert result.scored[0].scale.end == 100
        assert result.warnings == []

    def test_one_method_under_two_tags_is_told_by_its_tag(self, written):
        for seed in range(2):
            written.run("ASHA", seed, [(8.0, 1.0), (9.0, 0.2)], tag="a")
            written.run("ASHA", seed, [(8.0, 1.0), (9.0, 0.3)], tag="b", settings={"reduction_factor": 4})
        result = compare([written.path / "a", written.path / "b"], baseline="ASHA [a]")
        assert set(result.scores.method) == {"ASHA [a]", "ASHA [b]"}

    def test_the_same_experiment_twice_is_refused(self, written):
        written.pair(1)
        twin = written.path / "copy"
        (written.path / "t").rename(twin)
        written.pair(1)
        with pytest.raises(ConfigError, match=r"are both mine, .*, seed 0; name directories that hold only one"):
            compare([twin, written.path / "t"])

    def test_a_place_named_twice_counts_once(self, written):
        written.pair(2)
        assert len(compare([written.path, written.path / "t"]).scores) == 4

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"baseline": "BO"}, "baseline=BO: the methods here are ASHA, RS"),
            ({"score": "best"}, "score=best: use anytime or final"),
            ({"delta": 0.0}, "delta=0"),
            ({"random_seed": -1}, "random_seed=-1"),
        ],
    )
    def test_wrong_arguments_are_named(self, written, arguments, said):
        written.pair(1)
        with pytest.raises(ConfigError, match=said):
            compare(written.path, **arguments)

    def test_no_result_at_all_is_refused(self, written):
        for method in ("RS", "ASHA"):
            written.run(method, 0, [(8.0, math.nan)])
        with pytest.raises(ConfigError, match=r"nothing to compare among 2 .*left out 2 experiment\(s\) that failed"):
            compare(written.path)

    def test_no_result_within_the_budget_is_said(self, written):
        written.run("RS", 0, [(99.0, 0.5)])
        written.run("ASHA", 0, [(98.0, 0.5)])
        result = compare(written.path, metric_budget=(None, 50))
        assert any("2 of 2 experiments have no result by 50 s" in warning for warning in result.warnings)
        assert "inf" not in result.text().replace("infer", "")
        assert list(result.scores.final) == [1, 1]


def test_experiments_that_are_loaded_already_are_compared_alike_and_stay_as_they_are(written):
    written.pair(3)
    written.run("ASHA", 3, [(8.0, 1.0)])
    loaded = load_runs([written.path])
    result = compare(written.path, loaded=loaded)
    assert result.to_dict() == compare(written.path).to_dict()
    assert result.warnings
    assert loaded[1] == []


@pytest.mark.process
def test_figures_are_loaded_when_they_are_first_used():
    code = (
        "import sys, hpo.analysis\n"
        "assert 'hpo.figures' not in sys.modules\n"
        "from hpo.analysis import figures\n"
        "import hpo.figures\n"
        "assert figures is hpo.figures is hpo.analysis.figures\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match=r"module 'hpo\.analysis' has no attribute 'figure'"):
        _ = hpo.analysis.figure


class TestCommand:
    """`hpo compare` as a user calls it."""

    @pytest.mark.process
    def test_real_experiments_are_compared_in_words_and_in_json(self, complete):
        out = succeeded(complete.verb("compare", "l", "--baseline", "RS"))
        assert "longer: loss (min), 2 worker(s), 2 methods x 1 seeds" in out
        assert "Verdict, 1 seed on longer:" in out
        content = json.loads(succeeded(complete.verb("compare", "l", "--json")))
        assert content["schema"] == 1
        assert [row["method"] for row in content["scores"]] == ["ASHA", "RS"]
        assert content["baseline"] == "RS"
        assert content["pairs"][0]["low"] is None
        assert content["verdict"][0] == "1 seed on longer:"

    @pytest.mark.process
    def test_a_mistake_is_one_sentence(self, complete):
        assert "only RS to compare" in error_of(complete.verb("compare", "t"))
        assert "--metric-budget soon" in error_of(complete.verb("compare", "l", "--metric-budget", "soon"))
        assert "no tag of that name" in error_of(complete.verb("compare", "nothing"))

    @pytest.mark.process
    def test_budgets_are_given_in_seconds(self, written, workplace):
        written.pair(2)
        out = succeeded(workplace.verb("compare", str(written.path), "--metric-budget", "5:40"))
        assert "from 5 s to 40 s" in out
        out = succeeded(workplace.verb("compare", str(written.path), "--metric-budget", "40"))
        assert "from 4 s to 40 s" in out


def test_trials_here_and_on_a_cluster_are_compared_with_a_word_on_their_times(written):
    written.run("RS", 0, [(8.0, 1.0)], metadata={"backend": "LocalBackend"})
    written.run("ASHA", 0, [(8.0, 1.0)], metadata={"backend": "RayBackend"})
    (word,) = [warning for warning in compare(written.path).warnings if "RayBackend" in warning]
    assert (
        "trials ran with LocalBackend and RayBackend; their results may be compared, but their times are also" in word
    )
    assert word.endswith("of the methods, run all methods with one of them")


def test_trials_that_wait_minutes_for_a_machine_are_not_compared_with_others(written):
    written.run("RS", 0, [(8.0, 1.0)], metadata={"backend": "LocalBackend"})
    written.run("ASHA", 0, [(8.0, 1.0)], metadata={"backend": "SageMakerBackend"})
    with pytest.raises(ConfigError, match="and an attempt of the one waits minutes for its machine; methods are"):
        compare(written.path)
