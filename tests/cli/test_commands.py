"""`hpo status` and `hpo replay`: looking at experiments, also while they run."""

import json
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from hpo.results.experiment import load_experiment
from tests.conftest import error_of, succeeded

pytestmark = pytest.mark.process


@pytest.fixture
def finished(complete):
    """A working directory where tag l has two finished experiments."""
    return complete


def test_status_shows_state_trials_and_the_best_of_every_experiment_of_a_tag(finished):
    out = succeeded(finished.verb("status", "l"))
    for method in ("RS", "ASHA"):
        experiment = load_experiment(finished.directory("l", method, benchmark="longer"))
        assert f"outputs/l/longer/{method}/seed_0" in out
        assert f"{experiment.best['loss']:.6g}" in out
        assert f"{experiment.state.reports} reports" in out
    assert out.count("complete (") == 2
    assert out.count(" 5 trials (") == 2


def test_status_of_one_directory_shows_that_one(finished):
    out = succeeded(finished.verb("status", str(finished.directory("l", benchmark="longer"))))
    assert "RS" in out
    assert "ASHA" not in out


def test_status_without_a_tag_lists_those_in_outputs_with_counts(finished):
    (finished.directory("l", "ASHA", benchmark="longer") / "metadata.json").unlink()
    metadata = finished.directory("l", "RS", benchmark="longer") / "metadata.json"
    metadata.write_text(json.dumps(json.loads(metadata.read_text()) | {"status": "running"}))
    lines = succeeded(finished.verb("status")).splitlines()
    assert lines == ["l  2 experiment(s): 1 interrupted, 1 waiting", "t  1 experiment(s): 1 complete"]
    assert json.loads(succeeded(finished.verb("status", "--json"))) == [
        {"tag": "l", "experiments": {"waiting": 1, "interrupted": 1}, "errors": 0},
        {"tag": "t", "experiments": {"complete": 1}, "errors": 0},
    ]
    shutil.rmtree(finished.path / "outputs")
    assert "there is no experiment here" in error_of(finished.verb("status"))


KEYS = """directory tag benchmark method seed state reason error seconds trials reports device_hours price
nodes unread_lines code_changes
code_versions steered held_by trained trained_again metric mode best confirmed objectives front hypervolume constraints
closest last_failure job"""


def test_status_for_programs_has_the_keys_that_the_docs_name_and_the_values_of_the_log(finished):
    docs = (Path(__file__).parents[2] / "docs" / "watching.md").read_text()
    assert [key for key in KEYS.split() if f"`{key}`" not in docs] == []
    told = json.loads(succeeded(finished.verb("status", "l", "--json")))
    assert [one["method"] for one in told] == ["ASHA", "RS"]
    for one in told:
        assert list(one) == KEYS.split()
        experiment = load_experiment(finished.path / one["directory"])
        best = experiment.best
        assert one["state"] == "complete"
        assert one["reason"] == experiment.state.finished
        assert one["best"] == {
            "trial_id": best["trial_id"],
            "value": best["loss"],
            "resource": best["epoch"],
            "configuration": best["configuration"],
            "test": {},
        }
        assert one["confirmed"] is one["price"] is None
        assert one["device_hours"] == pytest.approx(experiment.state.busy_seconds() / 3600)
        assert one["reports"] == one["trained"] == len(experiment.reports)
        assert one["trials"] == experiment.trials["status"].value_counts().to_dict()
        assert (one["error"], one["last_failure"], one["job"], one["trained_again"]) == (None, None, None, 0)


def test_status_names_the_line_of_the_script_and_the_log_of_what_failed(workplace):
    script = workplace.write("code/train.py", "import hpo\n\n\ndef f():\n    hpo.report(loss=object())\n\n\nf()\n")
    workplace.benchmark(script=str(script))
    failed = workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t", "n_workers=1")
    log = "outputs/t/mine/RS/seed_0/trials/0/attempt_0/stderr.log"
    assert "exit code 1 at train.py:5: TypeError: report(loss=...): a object cannot be reported" in error_of(failed)
    assert f"(see {log})" in error_of(failed)
    lines = [line for line in failed.stderr.splitlines() if "trial 0 failed: train.py:5: TypeError" in line]
    assert [line.endswith(f"(see {log})") for line in lines] == [True]
    assert "failed" not in failed.stdout, "it is said once"
    out = succeeded(workplace.verb("status", "t"))
    assert "trial 2 failed: train.py:5: TypeError" in out
    assert f"(see {log.replace('trials/0', 'trials/2')})" in out
    assert "its log is outputs/t/mine/RS/seed_0/hpo.log" in out
    (one,) = json.loads(succeeded(workplace.verb("status", "t", "--json")))
    assert one["last_failure"]["where"] == "train.py:5"
    assert (workplace.path / one["last_failure"]["log"]).is_file()
    shown = " ".join(succeeded(workplace.verb("watch", "t", "--once")).split())
    assert "trial 2 failed: train.py:5: TypeError" in shown
    assert "log of the last: trials/2/attempt_0/stderr.log" in shown


def test_status_tells_running_from_interrupted(workplace):
    workplace.benchmark(arguments={"epochs": 1000, "sleep": 0.03})
    with workplace.start("benchmark=mine", "method=RS", "experiment_tag=t") as process:
        deadline = time.monotonic() + 60
        while not list(workplace.directory("t").glob("trials/*")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert "running" in succeeded(workplace.verb("status", "t")).splitlines()[0]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert "interrupted" in succeeded(workplace.verb("status", "t")).splitlines()[0]


def test_looking_changes_nothing(finished):
    def files():
        root = finished.path / "outputs"
        return {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and "-shm" not in path.name}

    before = files()
    for verb in ("status", "replay"):
        succeeded(finished.verb(verb, "l"))
    after = {path: content for path, content in files().items() if path.stat().st_size or path in before}
    assert after == before


def test_replay_finds_every_decision_again(finished):
    out = succeeded(finished.verb("replay", "l"))
    assert out.count(" 0 different") == 2
    reports = load_experiment(finished.directory("l", "RS", benchmark="longer")).state.reports
    (line,) = [line for line in out.splitlines() if "/RS/" in line]
    assert f"{5 + reports} decisions" in line, "five suggestions and one decision per report"


def test_replay_finds_a_decision_that_was_tampered_with(finished):
    path = finished.directory("l", "ASHA", benchmark="longer") / "events.db"
    database = sqlite3.connect(path)
    query = "SELECT min(seq) FROM events WHERE kind = 'reported'"
    (seq,) = database.execute(query).fetchone()
    (body,) = database.execute("SELECT body FROM events WHERE seq = ?", (seq,)).fetchone()
    logged = "PAUSE" if '"decision":"PAUSE"' in body else "CONTINUE"
    changed = body.replace(f'"decision":"{logged}"', '"decision":"STOP"')
    assert changed != body
    database.execute("UPDATE events SET body = ?, crc = NULL WHERE seq = ?", (changed, seq))
    database.commit()
    database.close()
    result = finished.verb("replay", "l")
    assert result.returncode == 1
    assert f"event {seq}: logged STOP, replayed {logged}" in result.stdout
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("verb", ["status", "replay"])
def test_a_place_without_an_experiment_is_one_sentence(workplace, verb):
    sentence = error_of(workplace.verb(verb, "nothing"))
    assert "nothing" in sentence
    assert "outputs/" in sentence


def test_a_damaged_store_is_one_sentence(finished):
    (finished.directory("l", benchmark="longer") / "events.db").write_bytes(b"no database" * 1000)
    assert "events.db" in error_of(finished.verb("status", str(finished.directory("l", benchmark="longer"))))


@pytest.mark.parametrize("arguments", [["replay"], ["status", "t", "u"], ["status", "--nothing", "t"]])
def test_a_wrong_call_of_a_verb_shows_its_usage_and_fails(workplace, arguments):
    result = workplace.verb(*arguments)
    assert result.returncode != 0
    assert "Usage" in result.stderr + result.stdout
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("verb", ["status", "replay"])
def test_a_verb_has_help(workplace, verb):
    assert "DIR|TAG" in succeeded(workplace.verb(verb, "--help"))


def test_help_as_a_word_shows_what_the_option_shows(workplace):
    assert succeeded(workplace.verb("help")) == succeeded(workplace.verb("--help"))
    assert succeeded(workplace.verb("help", "status")) == succeeded(workplace.verb("status", "--help"))


def test_a_misspelt_verb_gets_the_nearest(workplace):
    assert "did you mean status?" in error_of(workplace.verb("statsu", "t"))
    assert "hpo help" in error_of(workplace.verb("list"))


def test_a_folder_that_cannot_be_looked_through_is_one_sentence(workplace):
    sentence = error_of(workplace.verb("status", "/proc"))
    assert "/proc" in sentence


@pytest.mark.parametrize("override", ["+n_worker=2", "=3", "n_worker=2"])
def test_a_wrong_override_of_a_verb_is_one_sentence(workplace, override):
    sentence = error_of(workplace.verb("plan", "benchmark=mlp_digits", "method=RS", override))
    assert override.lstrip("+").partition("=")[0] in sentence
    assert "did you mean n_workers?" in sentence or "key=value" in sentence


def test_a_damaged_record_of_a_remote_job_is_named_with_its_directory(workplace):
    workplace.write("outputs/t/mine/RS/seed_0/launch.json", '{"launcher": {}, "record": {}}')
    assert "outputs/t/mine/RS/seed_0" in error_of(workplace.verb("status", "t"))


def test_each_verb_is_found_in_the_module_that_is_imported_for_it():
    from hpo.cli.commands import all_commands, main

    found = {name: verb.callback.__module__.rpartition(".")[2] for name, verb in all_commands.VERBS.items()}
    assert found == main.MODULES
    assert {*found.values(), "VERBS"} == set(all_commands.__all__)
