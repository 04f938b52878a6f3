"""A trial's folder and report file, without a tuner that reads them."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.pages import ROOT


@dataclass
class Attempts:
    """What a trial has saved and reported."""

    folder: Path
    reports: Path

    def reported(self):
        """All reports so far."""
        return [json.loads(line) for line in self.reports.read_text().splitlines()] if self.reports.exists() else []

    def forget_the_last_report(self):
        """As if the trial had been killed after it had saved, and before it could report."""
        *earlier, last = self.reports.read_text().splitlines(keepends=True)
        self.reports.write_text("".join(earlier))
        return json.loads(last)

    def attempt(self, script, *arguments, module=()):
        """A Python script to its end, in processes of its own, with the tests at hand."""
        path = self.reports.with_name("train.py")
        path.write_text(script)
        env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HPO_TEST_EXTRAS": "1"}
        command = [sys.executable, "-W", "ignore", *module, str(path), *map(str, arguments)]
        with subprocess.Popen(command, env=env, cwd=path.parent, start_new_session=True) as process:
            try:
                assert process.wait(timeout=250) == 0
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)  # and what it has started

    def files(self):
        """What lies in the checkpoint folder."""
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def trial(tmp_path, monkeypatch):
    """This process is a trial's."""
    folder, reports = tmp_path / "checkpoint", tmp_path / "reports.jsonl"
    monkeypatch.setenv("HPO_CHECKPOINT_DIR", str(folder))
    monkeypatch.setenv("HPO_REPORT_FILE", str(reports))
    monkeypatch.chdir(tmp_path)
    return Attempts(folder, reports)


@pytest.fixture
def by_hand(tmp_path, monkeypatch):
    """This process is nobody's; returns the folder it is in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
