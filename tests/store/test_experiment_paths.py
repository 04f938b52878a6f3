"""What a place means: a directory, or a tag under outputs/, and the experiments there."""

import os
from pathlib import Path

import pytest

from hpo.errors import StoreError
from hpo.store.experiment_paths import find_experiments, find_launched, folder_of, from_here, is_sweep_open
from hpo.store.tags import update_tag


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """Where a tag has experiments at two depths, one of them remote, and a trial that writes an experiment.yaml too."""
    monkeypatch.chdir(tmp_path)
    for place in ("mine/RS/seed_10", "mine/RS/seed_2", "other", "mine/RS/seed_2/trials/0/checkpoint"):
        folder = Path("outputs/t", place)
        folder.mkdir(parents=True)
        (folder / "experiment.yaml").touch()
    Path("outputs/t/mine/RS/seed_2/launch.json").touch()
    return Path("outputs")


EXPECTED = [Path("outputs/t", place) for place in ("mine/RS/seed_2", "mine/RS/seed_10", "other")]


@pytest.mark.parametrize("place", ["t", "outputs/t", "outputs", "", Path("outputs")])
def test_experiments_of_all_depths_are_found_in_order_and_none_inside_of_another(outputs, place):
    assert find_experiments(place) == EXPECTED
    assert find_launched(place) == [Path("outputs/t/mine/RS/seed_2")]


def test_the_directory_of_an_experiment_is_a_place(outputs):
    assert find_experiments(EXPECTED[0]) == [EXPECTED[0]]
    assert find_experiments("t/mine") == EXPECTED[:2]


def test_folders_of_trials_are_not_listed(outputs, monkeypatch):
    listed, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(Path(path)) or scandir(path))
    find_experiments("t")
    find_launched("t")
    assert listed
    assert not any(path == seed or seed in path.parents for path in listed for seed in EXPECTED)


def test_links_are_not_followed(outputs, tmp_path):
    (outputs / "t" / "again").symlink_to(tmp_path / "outputs", target_is_directory=True)
    assert find_experiments("t") == EXPECTED
    (tmp_path / "link").symlink_to(outputs / "t", target_is_directory=True)
    assert find_experiments("link") == [Path("link") / path.relative_to("outputs/t") for path in EXPECTED], "but named"


def test_a_directory_of_the_name_of_a_tag_counts_only_when_something_is_in_it(outputs):
    Path("t").mkdir()
    assert find_experiments("t") == EXPECTED
    assert folder_of("t") == Path("outputs/t")
    Path("t/experiment.yaml").touch()
    assert find_experiments("t") == [Path("t")]
    assert folder_of("t") == Path("t")
    assert folder_of("nothing") == Path("nothing")


def test_where_there_is_nothing_one_sentence_names_the_place(outputs):
    with pytest.raises(StoreError, match="nothing: there is no experiment in that directory, and no tag of that name"):
        find_experiments("nothing")
    assert find_launched("nothing") == []


def test_a_sweep_is_open_until_its_command_says_that_it_is_complete(outputs):
    assert not is_sweep_open("t")
    for complete in (False, True):
        update_tag(outputs / "t", complete=complete)
        assert is_sweep_open("t") is is_sweep_open("outputs/t") is not complete


def test_a_path_is_written_as_a_person_would_from_here(outputs, tmp_path):
    assert from_here(tmp_path / "outputs" / "t") == Path("outputs/t")
    assert from_here(Path("/elsewhere")) == Path("/elsewhere")
