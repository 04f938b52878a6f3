"""T12: what a trial prints, be it random bytes, a line of 10 MB or what looks like a report, is never taken for one.

`test_long_output.py` shows that a log is kept small. Here it is what is in it, and what reading beside it costs.
"""

import json

import pytest

from hpo.results.experiment import load_experiment
from tests.reliability.harness import RUNS, Project

MEGABYTES = 1024 if RUNS else 30
REPORTS = 100
LIMIT = 5

SCRIPT = r'''
"""Reports REPORTS times, prints, reports again; measures its tuner before and after."""
import json, os, sqlite3, sys, time
import hpo
a = dict(word[2:].split("=", 1) for word in sys.argv[1:])
megabytes, reports, whole = int(a["megabytes"]), int(a["epochs"]) // 2, os.environ["HPO_EXPERIMENT_DIR"]
host = os.getppid()
tuner = int(open(f"/proc/{host}/stat").read().rpartition(")")[2].split()[1])
fakes = b"""
{"epoch": 1, "loss": -1.0}
[tune-metric]: {"epoch": 2, "loss": -2.0}
{"epoch": 200, "loss": -3.0, "trial_id": 0}
[1;31m[tune-metric]: {"epoch": 3, "loss": NaN, "st_worker_iter": 0}
\r 10%|#         | 1/10\r 20%|##        | 2/10\r[K\x1b[2J\x1b]0;title\x07\x00\x85
"""
chunk = os.urandom(1 << 19) + fakes + (b"\r 99%|" + b"#" * 50) * 9000
line = b"x" * 10_000_000


def loud(total):
    written = 0
    for data in (line, fakes, b"\xff\xfe\n", line, b"\n"):
        for descriptor in (1, 2):
            os.write(descriptor, data)
    while written < total:
        for descriptor in (1, 2):
            written += os.write(descriptor, chunk)


def stored():
    database = sqlite3.connect(f"file:{whole}/events.db?mode=ro", uri=True, timeout=60)
    found = database.execute("SELECT count(*) FROM events WHERE kind = 'reported'").fetchone()[0]
    database.close()
    return found


def ticks():
    return sum(int(word) for word in open(f"/proc/{tuner}/stat").read().rpartition(")")[2].split()[11:13])


def some(first):
    """So many reports, and what they cost the tuner."""
    before = ticks()
    for epoch in range(first, first + reports):
        hpo.report(epoch=epoch, loss=1 / epoch)
    while stored() < first + reports - 1:
        time.sleep(0.05)
    return ticks() - before


def peak(pid):
    (found,) = [line for line in open(f"/proc/{pid}/status") if line.startswith("VmHWM:")]
    return int(found.split()[1]) / 1024


costs = [some(1)]
if megabytes:
    loud(megabytes << 20)
costs.append(some(1 + reports))
with open(a["truth"], "w") as file:
    json.dump({"ticks": costs, "tuner": peak(tuner), "host": peak(host)}, file)
'''


def run(folder, script, *overrides, **arguments):
    """A whole run, its directory, and what the trial measured."""
    folder.mkdir()
    given = [f"++benchmark.arguments.{name}={value}" for name, value in arguments.items()]
    project = Project(folder, script, trials=1, overrides=["method=RS", *given, *overrides])
    assert project.finish(timeout=500) == 0, project.output()
    directory = project.directory.parent.parent / "RS" / "seed_0"
    return load_experiment(directory), directory, json.loads((folder / "truth").read_text())


@pytest.mark.timeout(1200)
def test_hostile_output_adds_no_report_loses_none_and_costs_neither_memory_nor_time(tmp_path):
    epochs = 2 * REPORTS
    _, _, quiet = run(tmp_path / "quiet", SCRIPT, megabytes=0, epochs=epochs)
    loud = run(tmp_path / "loud", SCRIPT, f"max_log_megabytes={LIMIT}", megabytes=MEGABYTES, epochs=epochs)
    experiment, directory, measured = loud
    assert list(experiment.reports["epoch"]) == list(range(1, epochs + 1))
    assert list(experiment.reports["loss"]) == [1 / epoch for epoch in range(1, epochs + 1)]
    assert experiment.trials["status"].tolist() == ["completed"]
    assert experiment.best["loss"] == 1 / epochs
    for process in ("tuner", "host"):
        assert measured[process] - quiet[process] < 20, f"MB that the {process} grew by"
    before, after = measured["ticks"]
    assert after <= 2 * before + 15, "hundredths of a second for as many reports before and after the text"
    for name in ("stdout.log", "stderr.log"):
        text = (directory / "trials" / "0" / "attempt_0" / name).read_bytes()
        assert len(text) <= LIMIT * 1_000_000 + 8192
        assert b"bytes were cut here" in text


PRINTING = r"""
import json, os, sys
a = dict(word[2:].split("=", 1) for word in sys.argv[1:])
sys.stdout = os.fdopen(1, "wb", 0)
for epoch in range(1, int(a["epochs"]) + 1):
    sys.stdout.write(os.urandom(5000).replace(b"[", b"(") + b"\n")
    sys.stdout.write(b'{"epoch": 7, "loss": -1.0}\n[tune metric]: {"epoch": 8, "loss": -1.0}\ntune-metric: {"loss": -1}\n')
    sys.stdout.write(b"x" * int(a["longest"]) + b"\n")
    sys.stdout.write(b"[tune-metric]: not json\n[tune-metric]: [1]\n[tune-metric]: \xff\n")
    for step in range(200):
        sys.stdout.write(b"\r\x1b[32m%3d%%\x1b[0m" % (step // 2))
    sys.stdout.write(b"[tune-metric]: " + json.dumps({"epoch": epoch, "loss": 1 / epoch}).encode() + b"\n")
    os.write(2, b'[tune-metric]: {"epoch": 9, "loss": -9.0}\n')
with open(a["truth"], "w") as file:
    json.dump(epoch, file)
"""


def test_of_a_log_that_carries_reports_only_lines_with_the_prefix_count(tmp_path):
    """Also after a progress bar on the same line; what has the prefix and is no object is garbage, not a report."""
    longest = 10_000_000 if RUNS else 2_000_000
    channel = "++benchmark.report_channel=syne_tune"
    experiment, _, epochs = run(tmp_path / "printing", PRINTING, channel, epochs=9, longest=longest)
    assert list(experiment.reports["epoch"]) == list(range(1, epochs + 1))
    assert list(experiment.reports["loss"]) == [1 / epoch for epoch in range(1, epochs + 1)]
    assert experiment.best["loss"] == 1 / epochs


def test_a_million_short_lines_are_no_report_and_a_report_of_a_million_characters_is_one(tmp_path):
    script = (
        "import json, os, sys\nimport hpo\n"
        "a = dict(word[2:].split('=', 1) for word in sys.argv[1:])\n"
        "os.write(1, b'{}\\n' * 1_000_000)\n"
        "hpo.report(epoch=1, loss=1.0, note='n' * 1_000_000)\n"
        "with open(os.environ['HPO_REPORT_FILE'], 'ab', 0) as file:\n"
        "    file.write(b'y' * 10_000_000 + b'\\n')\n"
        "    file.write(b'\\xff\\xfe\\x00\\n\\x1b[31m\\n')\n"
        "hpo.report(epoch=2, loss=0.5)\n"
        "json.dump(1, open(a['truth'], 'w'))\n"
    )
    experiment, directory, _ = run(tmp_path / "long", script, epochs=2)
    assert list(experiment.reports["epoch"]) == [1, 2]
    assert len(experiment.reports["note"][0]) == 1_000_000
    assert (directory / "events.db").stat().st_size < 4_000_000


PATTERNED = SCRIPT.replace("hpo.report(epoch=epoch, loss=1 / epoch)", "print(f'step {epoch}: error {1 / epoch!r}')")


@pytest.mark.timeout(1200)
def test_of_reports_that_patterns_find_the_same_is_true(tmp_path):
    """The reports stand in the very stream that the hostile output comes in, also behind a bar, and its log stays short."""
    epochs = 2 * REPORTS
    keys = ["++benchmark.report_channel=stdout", r'++benchmark.patterns={epoch:"step (\d+): ",loss:"error (\S+)$"}']
    _, _, quiet = run(tmp_path / "quiet", PATTERNED, *keys, megabytes=0, epochs=epochs)
    loud = run(tmp_path / "loud", PATTERNED, *keys, f"max_log_megabytes={LIMIT}", megabytes=MEGABYTES, epochs=epochs)
    experiment, directory, measured = loud
    assert list(experiment.reports["epoch"]) == list(range(1, epochs + 1))
    assert list(experiment.reports["loss"]) == [1 / epoch for epoch in range(1, epochs + 1)]
    assert experiment.trials["status"].tolist() == ["completed"]
    for process in ("tuner", "host"):
        assert measured[process] - quiet[process] < 20, f"MB that the {process} grew by"
    before, after = measured["ticks"]
    assert after <= 2 * before + 15, "hundredths of a second for as many reports before and after the text"
    attempt = directory / "trials" / "0" / "attempt_0"
    assert len((attempt / "reports.jsonl").read_text().splitlines()) == epochs
    assert len((attempt / "stdout.log").read_bytes()) <= LIMIT * 1_000_000 + 8192
