"""Input that nobody would write: report channels, configuration files and stored directories, mutated at random.

HPO_FUZZ_SECONDS is how long each fuzzer works; see tests/reliability/fuzzing.py for how a failure is run again.
"""

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from hpo.config.reading import load_config
from hpo.errors import ConfigError, ExperimentError
from hpo.results.experiment import load_experiment
from hpo.schedulers.construction import scheduler_of
from hpo.space.search_space import parse_space
from tests.conftest import succeeded
from tests.reliability import fuzzed_configs, fuzzed_reports
from tests.reliability.fuzzed_directories import Directories, inside
from tests.reliability.fuzzing import SECONDS, SEED, fuzz, limited
from tests.reliability.harness import RUNS, Project

pytestmark = pytest.mark.timeout(int(SECONDS * 3 + 600))


@pytest.fixture
def quick_folder(tmp_path):
    """A folder in memory, where there is such a thing: a fuzzer does not wait for disks."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="hpo-fuzz-", dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


# ---------------------------------------------------------------------------------------------- the report channel


def test_whatever_trials_report_the_tuner_goes_on_and_loses_no_valid_report(quick_folder):
    outcomes = fuzz("reports", lambda rng, note: fuzzed_reports.run(quick_folder, rng, note), SECONDS * 0.8)
    assert outcomes["runs to the end"] > 0


def test_every_line_that_is_one_object_is_a_report_and_no_other(quick_folder):
    outcomes = fuzz("channel", lambda rng, note: fuzzed_reports.read_channel(quick_folder, rng, note), SECONDS * 0.2)
    assert outcomes.total() > 0


WRITES = """
import os, pathlib, sys
trial, channel = int(os.environ["HPO_TRIAL_ID"]), pathlib.Path(os.environ["HPO_REPORT_FILE"])
data = pathlib.Path(__file__).with_name(f"bytes.{trial}").read_bytes()
with (sys.stdout.buffer if "syne_tune" in sys.argv[-1] else channel.open("ab")) as out:
    for start in range(0, len(data), 5000):
        out.write(data[start : start + 5000])
        out.flush()
"""


@pytest.mark.parametrize("channel", ["file", "syne_tune"])
def test_real_trials_that_write_garbage_lose_no_valid_report(tmp_path, channel):
    for run in range(RUNS or 1):
        rng = random.Random(f"real {channel} {SEED} {run}")
        project = Project(tmp_path / str(run), WRITES, workers=2, trials=4, overrides=["method=RS"])
        benchmark = project.folder / "conf" / "benchmark" / "truth.yaml"
        content = yaml.safe_load(benchmark.read_text()) | {"report_channel": channel, "max_resource_attr": None}
        content["arguments"] = {"channel": channel}
        benchmark.write_text(yaml.safe_dump(content))
        wanted = {}
        for trial in range(4):
            data, wanted[trial] = fuzzed_reports.channel_bytes(rng, sensible=True, prefixed=channel == "syne_tune")
            (project.folder / f"bytes.{trial}").write_bytes(data)
        assert project.finish() == 0, f"HPO_FUZZ_SEED={SEED}, run {run}: {project.output()[-3000:]}"
        experiment = load_experiment(project.directory.parent.parent / "RS" / "seed_0")
        stored = {trial: [] for trial in range(4)}
        for event in experiment.events:
            if event.kind == "reported":
                stored[event.trial].append(event.body["metrics"])
        assert stored == wanted, f"HPO_FUZZ_SEED={SEED}, run {run}"
        assert "Traceback" not in project.output()


# ---------------------------------------------------------------------------------------------- configurations


def test_every_configuration_is_accepted_or_one_sentence_and_nothing_in_it_is_executed(quick_folder):
    outcomes = fuzz("configurations", lambda rng, note: fuzzed_configs.run(quick_folder, rng, note))
    assert outcomes.total() < 300 or min(outcomes["accepted"], outcomes["one sentence"]) > 0


def test_the_command_answers_a_mutated_benchmark_with_one_sentence_or_by_running_it(tmp_path):
    """The real command; what it gets is only composed (`plan` runs nothing), so that no mutation is run as a program."""
    for run in range(5 * RUNS or 1):
        rng = random.Random(f"command {SEED} {run}")
        canary = tmp_path / "canary"
        benchmark = fuzzed_configs.changed(rng, fuzzed_configs.BENCHMARK, canary)
        folder = tmp_path / str(run) / "conf" / "benchmark"
        folder.mkdir(parents=True)
        with contextlib.suppress(yaml.YAMLError, RecursionError, UnicodeEncodeError):  # of the dumper
            (folder / "fuzzed.yaml").write_text(yaml.safe_dump(benchmark))
        command = [sys.executable, "-m", "hpo", "plan", "--config-dir", "conf", "benchmark=fuzzed", "method=RS"]
        done = subprocess.run(
            command, cwd=folder.parent.parent, capture_output=True, text=True, timeout=120, check=False, env=os.environ
        )
        said = f"HPO_FUZZ_SEED={SEED}, run {run}: {benchmark!r}\n{done.stdout}\n{done.stderr}"
        assert done.returncode in (0, 1, 2), said
        assert "Traceback" not in done.stderr, said
        assert done.returncode == 0 or "error" in done.stderr.lower(), said
        assert not canary.exists(), said


# ---------------------------------------------------------------------------------------------- stored directories


def test_every_command_reads_a_damaged_directory_or_says_in_one_sentence_why_not(quick_folder):
    with inside(quick_folder):
        directories = Directories(quick_folder)
        share = 0.02 if SECONDS > 30 else 0.1
        outcomes = fuzz("directories", lambda rng, note: directories.run(rng, note, resume=share))
    assert outcomes.total() > 0


# ---------------------------------------------------------------------------------------------- found by the fuzzers


def scheduler(**keys):
    benchmark = json.loads(json.dumps(fuzzed_configs.BENCHMARK))
    return scheduler_of(load_config(benchmark, fuzzed_configs.METHOD, random_seed=1, **keys))


def experiment_that_touches(path):
    """Arguments of `hpo.run_experiment` for one trial, a shell command."""
    benchmark = {"name": "evil", "command": ["/bin/sh", "-c", f"touch {path}"], "metric": "loss", "mode": "min"}
    benchmark |= {"config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}}, "num_gpus_per_trial": 0}
    method = {
        "name": "RS",
        "searcher": fuzzed_configs.METHOD["searcher"],
        "scheduler": {"_target_": "hpo.schedulers.FIFO"},
    }
    config = {"benchmark": benchmark, "method": method, "experiment_tag": "evil", "max_num_trials": 1}
    return {
        "_target_": "hpo.run_experiment",
        "_recursive_": False,
        "config": config,
        "output_dir": f"{path}-experiment",
    }


@pytest.mark.parametrize(
    "target",
    [
        lambda path: {"_target_": "hpo.experiment.opening.shutil.copyfile", "src": __file__, "dst": str(path)},
        lambda path: {"_target_": "hpo.results.files.zipfile.ZipFile", "file": str(path), "mode": "w"},
        experiment_that_touches,
    ],
    ids=["imported-function", "imported-class", "run_experiment"],
)
def test_a_stored_method_calls_nothing_but_what_a_method_is_made_of(tmp_path, target):
    written = tmp_path / "written"
    with contextlib.suppress(ConfigError, ExperimentError):
        scheduler(**{"method.searcher.points_to_evaluate": target(written)})
    assert not written.exists()


def test_a_reduction_factor_barely_above_one_does_not_hang():
    with limited(2), pytest.raises(ConfigError, match="reduction_factor"):
        scheduler(**{"method.scheduler.reduction_factor": 1 + 1e-12})


def test_a_pair_of_enormous_numbers_in_a_search_space_is_one_sentence():
    with pytest.raises(ConfigError, match=r"m=.*: to tune it write"):
        parse_space({"x": {"type": "float", "lower": 0.0, "upper": 1.0}, "m": [1, 10**400]})


def test_an_infinite_reduction_factor_is_one_sentence():
    with pytest.raises(ConfigError, match="reduction_factor"):
        scheduler(**{"method.scheduler.reduction_factor": float("inf")})


def test_a_configuration_of_other_hyperparameters_than_the_trials_have_is_one_sentence(workplace):
    succeeded(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t"))
    path = workplace.directory("t") / "experiment.yaml"
    path.write_text(path.read_text().replace("    x:\n", "    '':\n"))
    for verb in ("status", "report", "plot", "export"):
        done = workplace.verb(verb, "outputs/t")
        assert "Traceback" not in done.stderr
    assert "config_space has '', but trial 0 in events.db has 'x'" in workplace.verb("report", "outputs/t").stderr
