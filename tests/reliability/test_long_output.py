"""A program that prints without end fills no disk, is not slowed or stopped, and loses no report."""

import itertools
import os
import re
import subprocess
import threading
import time

import pytest

from hpo.host import log_limit
from hpo.host.log_limit import LogCap
from hpo.results.experiment import load_experiment
from tests.reliability.harness import RUNS, Project

MEGABYTES = 1024 if RUNS else 200
LIMIT = 10

LOUD = """
import os, sys
import hpo
arguments = dict(a[2:].split("=", 1) for a in sys.argv[1:])
total, written = MEGABYTES << 20, 0
epochs = int(arguments["epochs"])
sys.stdout.write("the first line\\n")
sys.stderr.write("the first error\\n")
for epoch in range(1, epochs + 1):
    while written < total * epoch // epochs:
        sys.stdout.write(f"{written:015d}\\n" * 4096)
        written += 16 * 4096
    hpo.report(epoch=epoch, loss=1 / epoch)
sys.stdout.write("the last line\\n")
sys.stderr.write("the last error\\n")
"""


def used(path):
    try:
        return path.stat().st_blocks * 512
    except OSError:
        return 0


@pytest.mark.timeout(600)
def test_a_gigabyte_on_standard_output_takes_a_few_megabytes_and_loses_no_report(tmp_path):
    script = LOUD.replace("MEGABYTES", str(MEGABYTES))
    project = Project(tmp_path, script, trials=1, overrides=["method=RS", f"max_log_megabytes={LIMIT}"])
    directory = project.directory.parent.parent / "RS" / "seed_0"
    log = directory / "trials" / "0" / "attempt_0" / "stdout.log"
    tuner = project.start()
    most = 0
    while tuner.poll() is None:
        most = max(most, used(log))
        time.sleep(0.05)
    assert tuner.wait() == 0, project.output()
    experiment = load_experiment(directory)
    assert list(experiment.reports["epoch"]) == list(range(1, 10))
    assert experiment.trials["status"].tolist() == ["completed"]
    assert used(log) <= LIMIT * 1_000_000 + 8192
    text = log.read_text()
    assert len(text) == log.stat().st_size <= LIMIT * 1_000_000 + 8192
    assert "\0" not in text
    assert text.startswith("the first line\n000000000000000\n")
    assert text.endswith("the last line\n")
    (cut,) = re.findall(r"\n\[hpo: ([\d,]+) bytes were cut here, for max_log_megabytes=10\]\n", text)
    whole = len("the first line\n") + (MEGABYTES << 20) // 65536 * 65536 + len("the last line\n")
    note = len(f"\n[hpo: {cut} bytes were cut here, for max_log_megabytes=10]\n")
    assert abs(len(text) - note + int(cut.replace(",", "")) - whole) <= 65536, "what is cut is counted"
    assert (log.parent / "stderr.log").read_text() == "the first error\nthe last error\n"


def feed(path, stop, written):
    """Numbered lines, appended as a program's standard output is."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while not stop.is_set():
        data = b"".join(b"%015d\n" % (written[0] + i) for i in range(64))
        assert os.write(descriptor, data) == len(data)
        written[0] += 64
    os.close(descriptor)


def lines_of(path):
    return [int(line) for line in path.read_bytes().split(b"\n") if len(line) == 15 and line.isdigit()]


def test_what_is_written_while_a_log_is_cut_is_all_in_its_tail(tmp_path):
    path, stop, written = tmp_path / "log", threading.Event(), [0]
    cap = LogCap([str(path)], 100_000)
    writer = threading.Thread(target=feed, args=(path, stop, written))
    writer.start()
    deadline = time.monotonic() + 60
    while written[0] < 200_000 and time.monotonic() < deadline:
        if path.exists():
            cap.cut_excess()
    stop.set()
    writer.join()
    cap.close()
    found = lines_of(path)
    assert path.stat().st_size <= 100_000 + 200
    gaps = [i for i, (a, b) in enumerate(itertools.pairwise(found)) if b != a + 1]
    assert len(gaps) == 1, "one piece is missing, from the middle"
    assert found[0] == 0
    assert found[-1] == written[0] - 1
    assert min(len(found[: gaps[0]]), len(found[gaps[0] :])) * 16 > 20_000, "a quarter at each end"


def test_a_file_system_without_holes_keeps_the_head_and_the_newest_lines(tmp_path, monkeypatch):
    import ctypes
    import errno

    class NoHoles:
        @staticmethod
        def fallocate(*_):
            ctypes.set_errno(errno.EOPNOTSUPP)
            return -1

    monkeypatch.setattr(log_limit, "_libc", NoHoles)
    path = tmp_path / "log"
    cap = LogCap([str(path)], 10_000)
    with path.open("ab", buffering=0) as file:
        for number in range(5000):
            file.write(b"%015d\n" % number)
            cap.cut_excess()
    cap.close()
    found = lines_of(path)
    assert path.stat().st_size <= 10_200
    assert found[0] == 0
    assert found[-1] == 4999
    assert b"bytes were cut here" in path.read_bytes()


def test_a_short_log_is_left_as_it_is(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"x" * 10_000)
    cap = LogCap([str(path), str(tmp_path / "absent")], 10_000)
    cap.cut_excess()
    cap.close()
    assert path.read_bytes() == b"x" * 10_000


def test_a_program_that_is_no_python_is_capped_too(tmp_path):
    project = Project(tmp_path, "", trials=1, overrides=["method=RS", "max_log_megabytes=1"])
    shell = project.folder / "train.sh"
    shell.write_text(
        "#!/bin/sh\nhead -c 30000000 /dev/zero | tr '\\0' x\necho '{\"epoch\": 9, \"loss\": 1}' >> $HPO_REPORT_FILE\n"
    )
    shell.chmod(0o755)
    benchmark = project.folder / "conf" / "benchmark" / "truth.yaml"
    benchmark.write_text(benchmark.read_text().replace("train.py", "train.sh"))
    assert project.finish() == 0, project.output()
    log = project.directory.parent.parent / "RS" / "seed_0" / "trials" / "0" / "attempt_0" / "stdout.log"
    assert 400_000 < log.stat().st_size <= 1_000_200
    assert subprocess.run(["grep", "-c", "bytes were cut here", str(log)], capture_output=True).stdout == b"1\n"
