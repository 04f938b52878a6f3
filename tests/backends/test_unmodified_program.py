"""Programs that know nothing of hpo, run for real: in C, awk, shell and Python, by what they print and what they write."""

import logging
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

import hpo
from hpo.events.types import Status

pytestmark = pytest.mark.process

PATTERNS = {"loss": r"loss: (\S+)", "epoch": r"epoch (\d+)"}


@pytest.fixture
def tune(tmp_path, monkeypatch):
    """A function that runs an experiment of a few trials and loads it."""
    monkeypatch.chdir(tmp_path)

    def tune(method="RS", trials=1, options=None, **keys):
        benchmark = {
            "name": "foreign",
            "metric": "loss",
            "mode": "min",
            "resource_attr": "epoch",
            "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
            "max_num_trials": trials,
            "num_gpus_per_trial": 0,
            **keys,
        }
        if "patterns" in keys:
            benchmark.setdefault("report_channel", "stdout")
        config = hpo.load_config(benchmark, method, random_seed=1, grace_period_seconds=2, **(options or {}))
        return hpo.load_experiment(hpo.run_experiment(config, tmp_path / "out").directory)

    return tune


def write(name, text):
    Path(name).write_text(textwrap.dedent(text))
    return name


def reported(experiment):
    reports = experiment.reports
    return list(zip(reports["epoch"], reports["loss"], strict=True))


PRINTING = """
    import sys, time
    for epoch in range(1, 4):
        print(f"\\x1b[32mepoch {epoch}\\x1b[0m")
        for step in range(50):
            print(f"\\r{step}%", end="")
        print("\\rloss:", 1 / epoch)
        time.sleep(0.05)
    """


@pytest.mark.parametrize("preload", ["auto", None])
def test_python_prints_line_by_line_forked_or_not(tune, tmp_path, preload):
    """So that each report comes when it was printed: no two have the same moment."""
    experiment = tune(script=write("train.py", PRINTING), patterns=PATTERNS, preload=preload)
    assert reported(experiment) == [(epoch, 1 / epoch) for epoch in (1, 2, 3)]
    times = experiment.reports["st_tuner_time"]
    assert times.diff().dropna().min() > 0.02
    log = (tmp_path / "out/trials/0/attempt_0/stdout.log").read_bytes()
    assert log.count(b"\x1b[32mepoch") == 3
    assert log.count(b"\r") == 153


def test_a_program_that_prints_one_result_at_its_end_needs_no_resource(tune):
    write("train.sh", "echo starting; echo result $1")
    experiment = tune(
        command=["sh", "train.sh"], argument_style="positional", resource_attr=None, trials=3,
        patterns={"loss": r"result (\S+)"},
    )  # fmt: skip
    assert list(experiment.reports["loss"]) == list(experiment.reports["config_x"])
    assert set(experiment.trials["status"]) == {Status.COMPLETED}


def test_awk_prints_numbers_in_its_own_way(tune):
    program = 'BEGIN { print "epoch 1"; print "loss:", -log(0); print "epoch 2"; print "loss: .5" }'
    experiment = tune(command=["awk", program], argument_style="environment", patterns=PATTERNS)
    assert reported(experiment)[1] == (2, 0.5)


@pytest.mark.skipif(shutil.which("gcc") is None or shutil.which("stdbuf") is None, reason="needs gcc and stdbuf")
@pytest.mark.parametrize("buffered", [True, False])
def test_a_program_in_c_writes_in_blocks_unless_stdbuf_is_before_it(tune, buffered):
    """It ends by `_exit`, so that what it holds back is lost: exactly the reports that stdbuf lets out are there."""
    write(
        "train.c",
        """
        #include <stdio.h>
        #include <unistd.h>
        int main(void) {
            for (int epoch = 1; epoch < 4; epoch++) printf("epoch %d\\nloss: %f\\n", epoch, 1.0 / epoch);
            _exit(0);
        }
        """,
    )
    subprocess.run(["gcc", "-o", "train", "train.c"], check=True)
    command = ["./train"] if buffered else ["stdbuf", "-oL", "./train"]
    experiment = tune(command=command, patterns=PATTERNS)
    assert len(experiment.reports) == (0 if buffered else 3)


def test_a_trial_is_stopped_by_what_it_prints(tune):
    write("train.sh", 'e=0; while true; do e=$((e+1)); echo "epoch $e"; echo "loss: $1"; sleep 0.05; done')
    experiment = tune(
        "ASHA-STOP", trials=6, command=["sh", "train.sh"], argument_style="positional", patterns=PATTERNS,
        max_resource_attr="epochs", arguments={"epochs": 3}, config_space={
            "x": {"type": "float", "lower": 0.0, "upper": 1.0}},
    )  # fmt: skip
    assert set(experiment.trials["status"]) <= {Status.COMPLETED, Status.STOPPED}
    assert Status.STOPPED in set(experiment.trials["status"])


LIGHTNING = """
    import csv, time
    rows, columns = [], []
    def log(**metrics):
        new = [name for name in metrics if name not in columns]
        columns.extend(new)
        rows.append(metrics)
        with open("metrics.csv", "w" if new else "a", newline="") as file:
            writer = csv.DictWriter(file, columns)
            if new:
                writer.writeheader()
            writer.writerows(rows if new else [metrics])
    for epoch in range(4):
        log(epoch=epoch, step=10 * epoch, train=1.0)
        time.sleep(0.15)
        log(epoch=epoch, step=10 * epoch, loss=1 / (epoch + 1))
    """


def test_a_table_is_read_that_begins_again_with_another_column_and_counts_from_0(tune, tmp_path):
    experiment = tune(
        script=write("train.py", LIGHTNING), report_channel="csv", report_path="metrics.csv",
        working_directory="trial", first_resource=0,
    )  # fmt: skip
    assert reported(experiment) == [(epoch, 1 / epoch) for epoch in (1, 2, 3, 4)]
    assert len((tmp_path / "out/trials/0/attempt_0/reports.jsonl").read_text().splitlines()) == 4


def test_json_lines_are_read_where_the_trial_is_said_to_write_them(tune, tmp_path):
    write("train.sh", 'for e in 1 2 3; do echo "{\\"epoch\\": $e, \\"loss\\": 0.$e}" >> "$1"; done')
    path = f"{tmp_path}/of_{{trial_id}}.jsonl"
    experiment = tune(
        command=["sh", "train.sh", path], argument_style="positional", report_channel="jsonl", report_path=path,
        trials=2,
    )  # fmt: skip
    assert reported(experiment) == [(1, 0.1), (2, 0.2), (3, 0.3)] * 2


def test_a_trial_that_goes_on_after_a_pause_appends_to_its_table(tune):
    write(
        "train.sh",
        """
        [ -e metrics.csv ] || echo epoch,loss > metrics.csv
        e=$(tail -n +2 metrics.csv | wc -l)
        while [ "$e" -lt "$2" ]; do e=$((e+1)); echo "$e,$1" >> metrics.csv; done
        """,
    )
    experiment = tune(
        "ASHA", trials=12, command=["sh", "train.sh"], argument_style="positional", report_channel="csv",
        report_path="metrics.csv", working_directory="trial", max_resource_attr="epochs", arguments={"epochs": 9},
    )  # fmt: skip
    for _, rows in experiment.reports.groupby("trial_id"):
        assert list(rows["epoch"]) == list(range(1, len(rows) + 1))
    assert experiment.reports["epoch"].max() == 9


def test_the_first_trial_says_what_was_found_and_what_was_not(tune, caplog):
    caplog.set_level(logging.INFO)
    patterns = {**PATTERNS, "acc": r"acc: (\S+)"}
    tune(script=write("train.py", PRINTING), trials=2, patterns=patterns)
    said = [record for record in caplog.records if "its standard output" in record.getMessage()]
    assert [record.getMessage() for record in said] == [
        r"trial 0: its standard output has loss (3), epoch (3); it never has acc (acc: (\S+))"
    ]
    assert said[0].levelno == logging.WARNING


LOGGING = """
    import logging
    logging.basicConfig(level=logging.INFO)
    for epoch in range(1, 4):
        print("loss: 7")
        logging.info("epoch %d, loss: %.2f", epoch, 1 / epoch)
    raise SystemExit("broken") if int("EXIT") else None
    """


def test_what_logging_writes_to_standard_error_is_found_there_and_only_there(tune, tmp_path):
    experiment = tune(
        script=write("train.py", LOGGING.replace("EXIT", "0")), patterns=PATTERNS, report_channel="stderr"
    )
    assert reported(experiment) == [(1, 1.0), (2, 0.5), (3, 0.33)]
    folder = tmp_path / "out/trials/0/attempt_0"
    assert (folder / "stdout.log").read_text() == "loss: 7\n" * 3
    assert (folder / "stderr.log").read_text().count("INFO:root:epoch") == 3


def test_an_error_stands_in_the_same_log_as_reports_from_standard_error(tune, caplog):
    keys = {"patterns": PATTERNS, "report_channel": "stderr"}
    tune(script=write("train.py", LOGGING.replace("EXIT", "1")), options={"max_failures": 9}, **keys)
    assert "trial 0 failed: broken" in caplog.text


def failure(tune, caplog, **keys):
    """Why a trial failed that reports nothing."""
    experiment = tune(**keys)
    assert list(experiment.trials["status"]) == [Status.FAILED]
    (said,) = [record.getMessage() for record in caplog.records if "trial 0 failed" in record.getMessage()]
    return said


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo Loss: 3", "standard output matches benchmark.patterns.loss=loss: (\\S+); the last is 'Loss: 3'"),
        ("true", "matches benchmark.patterns.loss=loss: (\\S+): it printed nothing"),
        ("echo loss: 3 >&2", "but one of its standard error does: set benchmark.report_channel=stderr"),
        ("echo epoch 1; echo acc: 3; echo Loss: 3", "the last is 'Loss: 3'; it has acc"),
        ("echo loss: 3", "standard output matches benchmark.patterns.epoch=epoch (\\d+) before the first loss"),
    ],
)  # fmt: skip
def test_where_the_metric_is_never_found_the_trial_fails_with_the_pattern_and_the_log(tune, caplog, script, said):
    write("train.sh", script)
    text = failure(tune, caplog, command=["sh", "train.sh"], patterns={**PATTERNS, "acc": r"acc: (\S+)"})
    assert said in text
    assert "it ended without a report; " in text
    assert "stdout.log" in text


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo loss: 3", "but one of its standard output does: set benchmark.report_channel=stdout"),
        ("echo Loss: 3 >&2", "standard error matches benchmark.patterns.loss=loss: (\\S+); the last is 'Loss: 3'"),
    ],
)
def test_the_same_is_said_of_standard_error(tune, caplog, script, said):
    write("train.sh", script)
    text = failure(tune, caplog, command=["sh", "train.sh"], patterns=PATTERNS, report_channel="stderr")
    assert said in text
    assert "stderr.log" in text


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("true", "there was no file benchmark.report_path=m.csv"),
        ("printf 'epoch,lost\\n1,2\\n' > m.csv", "has epoch, lost, and no benchmark.metric=loss; did you mean lost?"),
        ("printf 'loss\\n2\\n' > m.csv", "has loss, and no benchmark.resource_attr=epoch"),
        ("printf 'epoch,loss\\n1,\\n' > m.csv", "m.csv has no value of loss"),
    ],
)
def test_where_a_table_has_no_metric_the_trial_fails_with_what_it_has(tune, caplog, script, said):
    write("train.sh", script)
    keys = {"report_channel": "csv", "report_path": "m.csv", "working_directory": "trial"}
    assert said in failure(tune, caplog, command=["sh", "train.sh"], **keys)


def test_a_value_that_is_no_number_is_one_sentence(tune):
    write("train.sh", "echo epoch 1; echo loss: 0,5")
    with pytest.raises(hpo.HPOError, match=r"benchmark\.metric=loss: the script reported '0,5', which is not a number"):
        tune(command=["sh", "train.sh"], patterns=PATTERNS)


def test_the_logs_stay_short_while_reports_are_found_in_what_is_cut(tune, tmp_path):
    script = """
        import time
        for epoch in range(1, 4):
            print("x" * 80_000)
            print("epoch", epoch)
            print("loss:", 1 / epoch)
            print("y\\n" * 40_000)
            time.sleep(1.2)
        """
    experiment = tune(script=write("train.py", script), patterns=PATTERNS, options={"max_log_megabytes": 0.1})
    assert reported(experiment) == [(epoch, 1 / epoch) for epoch in (1, 2, 3)]
    log = (tmp_path / "out/trials/0/attempt_0/stdout.log").read_bytes()
    assert len(log) < 110_000
    assert b"bytes were cut here" in log
