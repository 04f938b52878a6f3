"""Files of a session, and what killed sessions have left of theirs."""

import os
import subprocess

import pytest

from hpo.ray.session_files import SessionFiles


def test_a_nonce_lies_in_the_directory_until_the_session_is_over(tmp_path):
    files = SessionFiles(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [files.nonce]
    again = SessionFiles(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [again.nonce], "that of a session that was killed is gone"
    again.remove()
    assert list(tmp_path.iterdir()) == []


def test_sockets_fit_beneath_the_folder_of_a_cluster_however_deep_the_temporary_folder_is(tmp_path, monkeypatch):
    deep = tmp_path / ("x" * 80)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    assert len(os.fsencode(SessionFiles(tmp_path).cluster)) + 62 < 107


@pytest.mark.process
def test_the_cluster_folder_of_a_process_that_is_gone_is_removed_and_of_another_experiment_not(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    mine, other = SessionFiles(tmp_path).cluster, SessionFiles(tmp_path.parent).cluster
    done = subprocess.Popen(["true"])
    done.wait()
    stale = [place.with_name(f"{place.name.rpartition('-')[0]}-{done.pid}") for place in (mine, other)]
    for place in (mine, other, *stale):
        place.mkdir()
    SessionFiles(tmp_path)
    try:
        assert [place.exists() for place in (mine, other, *stale)] == [True, True, False, True]
    finally:
        for place in (mine, other, *stale):
            if place.exists():
                place.rmdir()
