"""Tags: date and time by default, going on with what is unfinished, one master seed for all."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from hpo.config.validation import TAG
from hpo.errors import StoreError
from hpo.results.experiment import load_experiment
from hpo.store.tags import default_tag, master_seed, normalised, read_tag, update_tag
from tests.conftest import SCRIPTS, succeeded

COMMAND = ["benchmark=mine", "method=RS"]


def leave(outputs, name, **facts):
    """A tag of an earlier call."""
    update_tag(outputs / name, **{"command": normalised(COMMAND), "automatic": True, "complete": False, **facts})


def test_the_default_tag_is_date_and_time_and_a_valid_tag(tmp_path):
    name, again = default_tag(COMMAND, tmp_path)
    assert re.fullmatch(r"\d{4}(-\d\d){5}", name)
    assert TAG.fullmatch(name)
    assert not again


def test_two_calls_in_the_same_second_get_two_tags(tmp_path):
    names = []
    for _ in range(3):
        name, _ = default_tag(COMMAND, tmp_path)
        (tmp_path / name).mkdir()
        names.append(name)
    assert len(set(names)) == 3
    assert all(TAG.fullmatch(name) for name in names)


def test_the_same_command_goes_on_with_its_unfinished_tag(tmp_path):
    leave(tmp_path, "2026-01-01-00-00-00")
    assert default_tag(COMMAND, tmp_path) == ("2026-01-01-00-00-00", True)
    assert default_tag(COMMAND[::-1], tmp_path) == ("2026-01-01-00-00-00", True), "the order does not matter"


def test_the_newest_unfinished_tag_is_taken(tmp_path):
    leave(tmp_path, "2026-01-01-00-00-00")
    leave(tmp_path, "2026-01-02-00-00-00")
    assert default_tag(COMMAND, tmp_path) == ("2026-01-02-00-00-00", True)


@pytest.mark.parametrize(
    "facts", [{"complete": True}, {"automatic": False}, {"command": ["benchmark=other", "method=RS"]}]
)
def test_another_or_complete_or_named_tag_is_not_used_again(tmp_path, facts):
    leave(tmp_path, "2026-01-01-00-00-00", **facts)
    name, again = default_tag(COMMAND, tmp_path)
    assert name != "2026-01-01-00-00-00"
    assert not again


@pytest.mark.parametrize("word", ["resume=false", "overwrite=true"])
def test_a_command_that_wants_a_new_start_gets_one(tmp_path, word):
    command = [*COMMAND, word]
    leave(tmp_path, "2026-01-01-00-00-00", command=normalised(command))
    assert not default_tag(command, tmp_path)[1]


@pytest.mark.parametrize("content", ["", "[]", "{", '"text"', "3"])
def test_a_damaged_tag_file_is_as_if_there_were_none(tmp_path, content):
    folder = tmp_path / "2026-01-01-00-00-00"
    folder.mkdir()
    (folder / "tag.json").write_text(content)
    assert read_tag(folder) == {}
    assert not default_tag(COMMAND, tmp_path)[1]


def test_facts_are_added_to_what_is_known(tmp_path):
    update_tag(tmp_path / "t", a=1, b=2)
    update_tag(tmp_path / "t", b=3)
    assert json.loads((tmp_path / "t" / "tag.json").read_text()) == {"a": 1, "b": 3}


def test_the_master_seed_is_drawn_once_and_kept(tmp_path):
    seed, drawn = master_seed(tmp_path / "t", None)
    assert drawn
    assert 0 <= seed < 2**31
    assert master_seed(tmp_path / "t", None) == (seed, False)
    assert master_seed(tmp_path / "t", None) == (seed, False)
    assert read_tag(tmp_path / "t")["random_seed"] == seed


@pytest.mark.parametrize("content", [None, "", "{", '{"random_seed": "x"}', "[1]"])
def test_a_lost_or_damaged_tag_file_takes_its_master_seed_from_an_experiment(tmp_path, content):
    (tmp_path / "b" / "RS" / "seed_0").mkdir(parents=True)
    (tmp_path / "b" / "RS" / "seed_0" / "experiment.yaml").write_text("seed: 0\nrandom_seed: 4711\nn_workers: 1\n")
    if content is not None:
        (tmp_path / "tag.json").write_text(content)
    assert master_seed(tmp_path, None) == (4711, False)
    assert read_tag(tmp_path)["random_seed"] == 4711


def test_two_tags_have_two_master_seeds(tmp_path):
    seeds = {master_seed(tmp_path / str(i), None)[0] for i in range(20)}
    assert len(seeds) == 20


def test_a_given_master_seed_is_stored_for_later_calls(tmp_path):
    assert master_seed(tmp_path / "t", 11) == (11, False)
    assert master_seed(tmp_path / "t", None) == (11, False)


def test_a_given_master_seed_does_not_change_the_tag_s(tmp_path):
    seed, _ = master_seed(tmp_path / "t", None)
    assert master_seed(tmp_path / "t", seed + 1) == (seed + 1, False)
    assert master_seed(tmp_path / "t", None) == (seed, False)


@pytest.mark.parametrize("seed", ["-1", "true", "1.5", "null", '"7"', "[]"])
def test_a_damaged_master_seed_is_drawn_anew(tmp_path, seed):
    (tmp_path / "tag.json").write_text(f'{{"random_seed": {seed}, "automatic": true}}')
    drawn, again = master_seed(tmp_path, None)
    assert again
    assert drawn >= 0
    assert read_tag(tmp_path) == {"random_seed": drawn, "automatic": True}
    assert master_seed(tmp_path, None) == (drawn, False)


def test_a_tag_that_is_nested_deeper_than_a_parser_goes_says_nothing(tmp_path):
    (tmp_path / "tag.json").write_text('{"a":' * 5000)
    assert read_tag(tmp_path) == {}


@pytest.mark.process
def test_processes_at_the_same_moment_agree_on_one_master_seed(tmp_path):
    callers = [
        subprocess.Popen(
            [sys.executable, str(SCRIPTS / "draw_seed.py"), str(tmp_path / "t")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(6)
    ]  # fmt: skip
    for caller in callers:
        assert caller.stdout.readline() == "ready\n"
    for caller in callers:
        caller.stdin.write("go\n")
        caller.stdin.flush()
    answers = [caller.communicate(timeout=60)[0].split() for caller in callers]
    assert len({seed for seed, _ in answers}) == 1
    assert sorted(drawn for _, drawn in answers) == ["0"] * 5 + ["1"]


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    for call in (lambda: master_seed(tmp_path / "file" / "t", None), lambda: update_tag(tmp_path / "file" / "t", a=1)):
        with pytest.raises(StoreError) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.process
def test_an_interrupted_command_without_a_tag_goes_on_with_the_same_words(workplace):
    workplace.benchmark(arguments={"epochs": 30, "sleep": 0.03}, max_num_trials=2)
    outputs = workplace.path / "outputs"
    with workplace.start(*COMMAND) as process:
        deadline = time.monotonic() + 60
        while not any(path.stat().st_size for path in outputs.glob("**/reports.jsonl")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    out = succeeded(workplace.hpo(*COMMAND))
    (folder,) = outputs.iterdir()
    assert "resuming the unfinished" in out
    assert folder.name in out
    experiment = load_experiment(folder / "mine" / "RS" / "seed_0")
    assert experiment.state.finished is not None
    assert experiment.state.sessions == 2
    assert os.listdir(outputs) == [folder.name]  # noqa: PTH208


@pytest.mark.process
def test_a_later_call_with_the_same_tag_uses_the_same_master_seed(workplace):
    succeeded(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t"))
    succeeded(workplace.hpo("benchmark=mine", "method=ASHA", "experiment_tag=t"))
    rs, asha = (load_experiment(workplace.directory("t", method)) for method in ("RS", "ASHA"))
    assert rs.config.random_seed == asha.config.random_seed
    first = [[dict(s.trial.configuration) for s in e.state.trials.values()] for e in (rs, asha)]
    assert first[0] == first[1]


@pytest.mark.process
def test_another_master_seed_under_one_tag_is_warned_of_once(workplace):
    command = ("benchmark=mine", "experiment_tag=t", "max_num_trials=1")
    assert workplace.hpo(*command, "method=RS", "random_seed=1").stderr == ""
    again = workplace.hpo(*command, "method=ASHA,SOBOL", "random_seed=2")
    succeeded(again)
    (line,) = again.stderr.splitlines()
    assert line.startswith("hpo: random_seed=2: outputs/t has random_seed=1")
    assert workplace.hpo(*command, "method=GRID", "random_seed=1").stderr == ""
