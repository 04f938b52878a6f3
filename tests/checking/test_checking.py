"""`hpo check-script`: every fault is named by the right check, and sound scripts raise no alarm."""

import errno
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
from inotify_simple import INotify

from hpo.checking.check import check_script
from hpo.checking.diagnosis import Continuation, diagnose
from hpo.checking.findings import Verdict, clock_like, different
from hpo.checking.hyperparameters import others
from hpo.checking.saves import WriteWatch
from hpo.config.reading import load_config, resolve
from hpo.space.search_space import parse_space
from tests.conftest import SCRIPTS, error_of, succeeded

pytest.importorskip("torch")
from tests.support.marks import or_slow
from tests.training_scripts.test_training_scripts import data  # noqa: F401  a fixture: images in the formats of the real ones

pytestmark = pytest.mark.process

CHECKS = ("reports", "resources", "end", "order", "SIGTERM", "resume", "promotion")


@pytest.fixture
def check(monkeypatch, tmp_path):
    """A function: check tests/support/scripts/fitness.py with a fault. Gives the findings by check."""
    monkeypatch.chdir(tmp_path)

    def check(how, *, promoting=("ASHA",), epochs=27, options=None, method="RS", overrides=None, **changes):
        benchmark = {
            "name": "mine",
            "script": str(SCRIPTS / "fitness.py"),
            "metric": "loss",
            "mode": "min",
            "resource_attr": "epoch",
            "max_resource_attr": "epochs",
            "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
            "arguments": {"epochs": epochs, "how": how},
            "num_gpus_per_trial": 0,
        } | changes
        config = load_config(benchmark, method, grace_period_seconds=1, **(overrides or {}))
        findings = check_script(resolve(config), promoting, **(options or {}))
        assert len({finding.check for finding in findings.found}) == len(findings.found)
        return {finding.check: finding for finding in findings.found}

    return check


def verdicts(found, verdict):
    return {check for check, finding in found.items() if finding.verdict == verdict}


# ---------------------------------------------------------------------- sound scripts


@pytest.mark.parametrize("how", ["well", "does not repeat"])
def test_a_sound_script_passes_every_check(check, how):
    found = check(how)

    assert set(found) == set(CHECKS)
    assert verdicts(found, Verdict.OK) == set(CHECKS), found


def test_a_script_that_saves_when_it_is_told_to_end_loses_nothing_then(check):
    found = check("saves on SIGTERM")

    assert {"SIGTERM", "resume"} <= verdicts(found, Verdict.OK)
    assert verdicts(found, Verdict.FAILED) == {"promotion"}
    assert "had not saved when it ended at --epochs=2" in found["promotion"].text


def test_a_script_without_checkpoints_is_a_warning_where_no_method_pauses_trials(check):
    found = check("has no checkpoints", promoting=())

    assert not verdicts(found, Verdict.FAILED)
    assert verdicts(found, Verdict.WARNING) == {"checkpoint"}
    assert verdicts(found, Verdict.SKIPPED) == {"SIGTERM", "resume", "promotion"}


def test_a_script_that_cannot_be_reproduced_is_a_warning_and_still_counts_right(check):
    found = check("is not seeded")

    assert not verdicts(found, Verdict.FAILED)
    assert verdicts(found, Verdict.WARNING) == {"resume", "promotion"}
    assert "HPO_TRIAL_SEED" in found["resume"].text


@pytest.mark.parametrize("name", or_slow(["mlp_digits", "mlp_fashionmnist", "resnet_cifar10"], ["mlp_digits"]))
def test_the_scripts_that_come_with_hpo_pass(name, request):
    folder = str(request.getfixturevalue("data"))
    arguments = {} if name == "mlp_digits" else {"benchmark.arguments.data": folder}
    config = load_config(name, "ASHA", num_gpus_per_trial=0, **arguments)
    findings = check_script(resolve(config), ["ASHA"], units=3 if name == "resnet_cifar10" else None)

    assert not findings.failed, findings
    assert findings.of("promotion") == Verdict.OK
    assert not any(finding.verdict == Verdict.WARNING for finding in findings.found), findings


SHELL = """
for argument in "$@"; do
    case "$argument" in --epochs=*) epochs="${argument#*=}" ;; esac
done
saved="$HPO_CHECKPOINT_DIR/saved"
epoch=0
if [ -e "$saved" ]; then
    cat "$saved" >>"$HPO_REPORT_FILE"
    epoch=$(sed 's/.*"epoch": \\([0-9]*\\).*/\\1/' "$saved")
fi
while [ "$epoch" -lt "$epochs" ]; do
    epoch=$((epoch + 1))
    sleep 0.05
    echo "{\\"epoch\\": $epoch, \\"loss\\": $((100 / epoch))}" >"$saved.tmp"
    mv "$saved.tmp" "$saved"
    cat "$saved" >>"$HPO_REPORT_FILE"
done
"""


def test_a_shell_script_passes(check, tmp_path):
    script = tmp_path / "train.sh"
    script.write_text(SHELL)
    found = check("well", script=None, command=["bash", str(script)], arguments={"epochs": 9})

    assert verdicts(found, Verdict.OK) == set(CHECKS), found


# ---------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("how", "failing", "words"),
    [
        ("ignores its checkpoint", {"resume", "promotion"}, "ignores its checkpoint"),
        ("counts from one again", {"resume", "promotion"}, "counts from 1 again"),
        ("is one ahead", {"resume", "promotion"}, "epoch 3 is missing"),
        ("is one behind", {"resume", "promotion"}, "uninterrupted"),
        ("forgets a part", {"resume", "promotion"}, "save and load all state"),
        ("saves at the end", {"SIGTERM"}, "nothing had been saved"),
        ("saves now and then", {"SIGTERM", "promotion"}, "save before every report"),
        ("reports first", {"order"}, "save first, then report"),
        ("has no metric", {"reports"}, "did you mean 'lost'"),
        ("skips", {"resources"}, "report 1 names epoch=2, not 1"),
        ("never ends", {"end"}, "it continued to epoch"),
        ("hangs", {"end"}, "did not end within 1 s"),
        ("has a schedule", {"promotion"}, "learning rate schedule"),
        ("has no checkpoints", {"checkpoint"}, "whenever ASHA resumes it"),
    ],
)
def test_a_fault_is_named_by_its_check_and_no_other(check, how, failing, words):
    found = check(how)

    assert verdicts(found, Verdict.FAILED) == failing, found
    for name in failing:
        assert any(words in found[one].text for one in failing)
        assert "\n" not in found[name].text


def test_a_script_that_is_deaf_to_sigterm_is_a_warning(check):
    found = check("ignores SIGTERM")

    assert verdicts(found, Verdict.WARNING) == {"SIGTERM"}
    assert not verdicts(found, Verdict.FAILED)


def test_a_schedule_that_depends_on_the_end_is_a_warning_where_no_method_pauses_trials(check):
    found = check("has a schedule", promoting=())

    assert verdicts(found, Verdict.WARNING) == {"promotion"}


@pytest.mark.parametrize(
    ("how", "words"),
    [("exit", "exit code 3"), ("import", "exit code 1 at misbehave.py:"), ("silent", "without a report")],
)
def test_a_script_that_reports_nothing_is_named_with_its_last_words(check, how, words):
    found = check(how, script=str(SCRIPTS / "misbehave.py"))

    assert verdicts(found, Verdict.FAILED) == {"reports"}
    assert words in found["reports"].text


def test_a_script_that_says_nothing_for_too_long_is_given_up(check):
    begin = time.monotonic()
    found = check("hang", script=str(SCRIPTS / "misbehave.py"), options={"silence": 0.5})

    assert "nothing was heard of it" in found["reports"].text
    assert time.monotonic() - begin < 30


def test_a_line_that_is_no_report_is_quoted(check, tmp_path):
    script = tmp_path / "garbage.sh"
    script.write_text('echo "epoch 1 is done" >> "$HPO_REPORT_FILE"\n')
    found = check("well", script=None, command=["bash", str(script)])

    assert "'epoch 1 is done'" in found["reports"].text


def test_a_training_too_short_to_be_interrupted_is_said_to_be_so(check):
    found = check("well", epochs=1)

    assert verdicts(found, Verdict.SKIPPED) == {"SIGTERM", "resume", "promotion"}
    assert not verdicts(found, Verdict.FAILED)


SELDOM = """
import json, os, sys
import hpo
epochs = int(sys.argv[-1].rpartition("=")[2])
file = os.environ["HPO_CHECKPOINT_DIR"] + "/epoch"
first = int(open(file).read()) if os.path.exists(file) else 0
for epoch in range(first + 1, epochs + 1):
    if epoch % 5 == 0:
        open(file, "w").write(str(epoch))
        hpo.report(epoch=epoch, loss=1 / epoch)
"""
PRINTING = """
import json
print("[tune-metric]:", json.dumps({"epoch": 1, "loss": 1.0}))
"""


def test_a_script_that_reports_seldom_is_told_where_rungs_can_be(check, tmp_path):
    script = tmp_path / "seldom.py"
    script.write_text(SELDOM)
    seldom = {"script": str(script), "arguments": {"epochs": 20}}
    text = check("well", **seldom)["reports"].text
    assert "without a report at --epochs=4" in text
    assert "method.scheduler.min_resource=5" in text

    found = check("well", **seldom, options={"units": 10})
    assert verdicts(found, Verdict.FAILED) == {"resources"}
    assert found["resources"].text.endswith("or pass method.scheduler.min_resource=5 to a method with rungs")

    found = check("well", **seldom, method="ASHA", overrides={"method.scheduler.min_resource": 5})
    assert verdicts(found, Verdict.FAILED) == set()
    assert verdicts(found, Verdict.WARNING) == {"resources"}
    assert "it reports every 5 epochs only" in found["resources"].text


def test_syne_tune_s_lines_on_the_wrong_channel_are_recognised(check, tmp_path):
    script = tmp_path / "printing.py"
    script.write_text(PRINTING)
    found = check("well", script=str(script))
    assert "it printed [tune-metric] lines; set benchmark.report_channel=syne_tune" in found["reports"].text

    found = check("well", script=str(script), report_channel="syne_tune", max_resource_attr=None)
    assert found["reports"].verdict == Verdict.OK


def test_a_run_of_a_script_that_reports_seldom_says_what_the_check_says(workplace):
    script = workplace.write("seldom.py", SELDOM)
    workplace.benchmark(script=str(script), arguments={"epochs": 20})
    said = error_of(workplace.hpo("benchmark=mine", "method=ASHA", "experiment_tag=a"))
    assert "without a report at 1, where it was told to end" in said
    assert "method.scheduler.min_resource=5" in said
    assert "benchmark.report_channel=syne_tune" in said

    succeeded(workplace.hpo("benchmark=mine", "method=ASHA", "experiment_tag=b", "method.scheduler.min_resource=5"))


def test_hyperparameters_that_do_nothing_are_named(check):
    space = {name: {"type": "float", "lower": 0.0, "upper": 1.0} for name in ("x", "y")}
    found = check("well", config_space=space, options={"hyperparameters": True})

    assert found["hyperparameters"].verdict == Verdict.WARNING
    assert found["hyperparameters"].text.startswith("y: ")


STRICT = """
import argparse, random, os
import hpo

parser = argparse.ArgumentParser()
parser.add_argument("--kind", required=True)
parser.add_argument("--x", type=float, required=%s)
parser.add_argument("--epochs", type=int, required=True)
args = parser.parse_args()
for epoch in range(1, args.epochs + 1):
    hpo.report(epoch=epoch, loss=(args.x or 2.0) / epoch)
"""
CONDITIONAL = {
    "kind": {"type": "choice", "values": ["curved", "straight"]},
    "x": {"type": "float", "lower": 0.5, "upper": 1.0, "when": {"kind": "curved"}},
}


@pytest.mark.parametrize("required", [True, False])
def test_a_script_that_needs_what_is_not_passed_is_found_by_one_training_of_each_combination(check, tmp_path, required):
    (tmp_path / "strict.py").write_text(STRICT % required)
    options = {"hyperparameters": True, "units": 2}
    found = check(
        "x", script="strict.py", config_space=CONDITIONAL, arguments={"epochs": 2}, promoting=(), options=options
    )
    if required:
        assert found["conditions"].verdict == Verdict.FAILED
        assert "with kind=straight alone: it ended with exit code 2" in found["conditions"].text
        assert "give its value as `otherwise`" in found["conditions"].text
    else:
        assert found["conditions"].verdict == Verdict.OK
        assert found["hyperparameters"].verdict == Verdict.OK


def test_without_seeds_no_hyperparameter_is_said_to_do_nothing(check):
    found = check("is not seeded", options={"hyperparameters": True})

    assert found["hyperparameters"].verdict == Verdict.SKIPPED


# ---------------------------------------------------------------------- parts


def curve(*values):
    return {epoch: {"epoch": epoch, "loss": value} for epoch, value in enumerate(values, 1)}


def resumed(*pairs):
    return [(epoch, {"epoch": epoch, "loss": value}) for epoch, value in pairs]


@pytest.mark.parametrize(
    ("after", "continuation"),
    [
        ([(4, 6.0), (5, 5.0)], Continuation.CONTINUED),
        ([(3, 7.0), (4, 6.0)], Continuation.CONTINUED),
        ([(1, 9.0), (2, 8.0)], Continuation.RESTARTED),
        ([(2, 8.0), (3, 7.0)], Continuation.BEHIND),
        ([(1, 6.0), (2, 5.0)], Continuation.MISCOUNTED),
        ([(3, 6.0), (4, 5.0)], Continuation.MISCOUNTED),
        ([(5, 5.0)], Continuation.UNREPORTED),
        ([(5, 4.0)], Continuation.MISCOUNTED),
        ([(6, 4.0)], Continuation.MISCOUNTED),
        ([(4, 6.0), (6, 4.0)], Continuation.MISCOUNTED),
        ([(4, 6.5), (5, 5.5)], Continuation.DIFFERENT),
        ([], Continuation.SILENT),
    ],
)
def test_how_a_script_went_on_after_epoch_3(after, continuation):
    reference = curve(9.0, 8.0, 7.0, 6.0, 5.0, 4.0)
    found = diagnose(reference, 3, resumed(*after), metric="loss", resource="epoch", tolerance=0.0)

    assert found.continuation == continuation


def test_a_difference_within_the_tolerance_is_none():
    reference = curve(9.0, 8.0)
    after = resumed((2, 8.0 * (1 + 1e-7)))

    for tolerance, continuation in ((0.0, Continuation.DIFFERENT), (1e-6, Continuation.CONTINUED)):
        found = diagnose(reference, 1, after, metric="loss", resource="epoch", tolerance=tolerance)
        assert found.continuation == continuation


def test_another_number_than_the_metric_that_differs_is_told_apart():
    reference = {2: {"epoch": 2, "loss": 1.0, "norm": 3.0, "seconds": 1.0, "name": "a", "good": True}}
    after = [(2, {"epoch": 2, "loss": 1.0, "norm": 4.0, "seconds": 9.0, "name": "b", "good": False})]
    found = diagnose(reference, 1, after, metric="loss", resource="epoch", tolerance=0.0)

    assert (found.continuation, found.other_keys) == (Continuation.CONTINUED, ("norm",))


def test_values_that_are_no_numbers_equal_themselves():
    nothing = {"loss": math.nan, "gain": math.inf}

    assert different(nothing, dict(nothing), 0.0) == []
    assert different(nothing, {"loss": 1.0, "gain": -math.inf}, 0.0) == ["loss", "gain"]


@pytest.mark.parametrize(
    "key", ["elapsed_time", "seconds", "epoch_sec", "pid", "timestamp", "max_memory_mb", "time", "st_worker_iter"]
)
def test_keys_of_clocks_and_processes_are_not_compared(key):
    assert clock_like(key)


@pytest.mark.parametrize(
    "key", ["accuracy", "loss", "epoch", "validation_loss", "rmse", "best_score", "lr", "sparsity"]
)
def test_keys_of_results_are_compared(key):
    assert not clock_like(key)


def test_the_order_of_saves_and_reports_is_that_of_the_kernel(tmp_path):
    reports, checkpoint = tmp_path / "attempt" / "reports.jsonl", tmp_path / "checkpoint"
    with WriteWatch(checkpoint, reports) as saves:
        for epoch in range(2):
            (checkpoint / "state").write_text(str(epoch))
            with reports.open("a") as file:
                file.write("{}\n")
        (checkpoint / "deeper").mkdir()
        saves.look()
        with reports.open("a") as file:
            file.write("{}\n")
        (checkpoint / "deeper" / "state").write_text("2")
        saves.look()

    assert saves.order == "SRSRSRS"


def refuse(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("missing", ["__init__", "add_watch"])
def test_without_inotify_saves_are_seen_and_their_order_is_not(tmp_path, monkeypatch, missing):
    monkeypatch.setattr(INotify, missing, refuse)
    reports, checkpoint = tmp_path / "attempt" / "reports.jsonl", tmp_path / "checkpoint"
    with WriteWatch(checkpoint, reports) as saves:
        reports.write_text("{}\n")
        saves.look()
        assert saves.order == ""
        (checkpoint / "state").write_text("1")
        for _ in range(2):
            saves.look()

    assert saves.order == "S"


def test_without_inotify_a_sound_script_passes_and_the_order_is_not_checked(check, monkeypatch):
    monkeypatch.setattr(INotify, "add_watch", refuse)
    found = check("well")

    assert verdicts(found, Verdict.SKIPPED) == {"order"}
    assert verdicts(found, Verdict.OK) == set(CHECKS) - {"order"}
    assert "inotify" in found["order"].text


def test_other_values_are_of_the_domain_and_not_the_same():
    domains = parse_space(
        {
            "lr": {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True},
            "n": {"type": "int", "lower": 1, "upper": 2},
            "act": {"type": "choice", "values": ["relu", "tanh"]},
            "fixed": {"type": "choice", "values": ["a"]},
        }
    ).domains
    for name, domain in domains.items():
        found = others(domain, domain.default)
        assert domain.default not in found
        assert all(value in domain for value in found)
        assert bool(found) == (name != "fixed")


# ---------------------------------------------------------------------- the verb


def test_the_verb_says_a_line_per_check_and_fails_where_one_does(workplace):
    workplace.benchmark("bad", script=str(SCRIPTS / "fitness.py"), arguments={"epochs": 9, "how": "skips"})
    conf = ("--config-dir", str(workplace.path / "conf"))
    good = workplace.verb("check-script", *conf, "benchmark=mine", "method=ASHA", "+benchmark.arguments.sleep=0.05")
    bad = workplace.verb("check-script", *conf, "benchmark=bad", "method=RS", "--json")

    assert good.returncode == 0, good.stdout + good.stderr
    *lines, last = good.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(CHECKS)
    assert last == f"then: hpo --config-dir {workplace.path}/conf benchmark=mine method=ASHA-GP-TIME"
    assert bad.returncode == 1
    by_check = {finding["check"]: finding for finding in json.loads(bad.stdout)}
    assert by_check["resources"]["verdict"] == "FAILED"
    assert not (workplace.path / "outputs").exists(), "it leaves nothing behind"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["benchmark=generated_typical"], "there is no script to check"),
        (["benchmark=mlp_digits,mlp_fashionmnist"], "name one benchmark"),
        (["benchmark=mlp_digits", "--units", "0"], "--units=0"),
        (["benchmark=mlp_digits", "--tolerance=-1"], "--tolerance=-1"),
        (["benchmark=mlp_digits", "hydra/launcher=joblib"], "hpo has its own"),
    ],
)
def test_what_cannot_be_checked_is_one_sentence(workplace, words, said):
    assert said in error_of(workplace.verb("check-script", *words))


def test_an_interrupted_check_leaves_no_process(workplace):
    pid = workplace.path / "pid"
    script = workplace.write("wait.sh", f"echo $$ > {pid}.tmp\nmv {pid}.tmp {pid}\nexec sleep 600\n")
    workplace.benchmark("slow", script=None, command=["bash", str(script)])
    command = [sys.executable, "-m", "hpo", "check-script", f"--config-dir={workplace.path}/conf", "benchmark=slow"]
    with subprocess.Popen(command, cwd=workplace.path, env=os.environ, stdout=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not pid.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        trial = int(pid.read_text())
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert not psutil.pid_exists(trial)


IN_BLOCKS = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **words) {
    int epochs = 1;
    for (int i = 1; i < count; i++) if (!strncmp(words[i], "--epochs=", 9)) epochs = atoi(words[i] + 9);
    for (int epoch = 1; epoch <= epochs; epoch++) { usleep(20000); printf("epoch %d loss=%f\\n", epoch, 1.0 / epoch); }
    return 0;
}
"""


@pytest.mark.skipif(shutil.which("gcc") is None or shutil.which("stdbuf") is None, reason="needs gcc and stdbuf")
def test_lines_that_come_in_blocks_are_noticed_and_stdbuf_helps(check, tmp_path):
    (tmp_path / "train.c").write_text(IN_BLOCKS)
    program = tmp_path / "train"
    subprocess.run(["gcc", "-o", program, tmp_path / "train.c"], check=True)
    keys = {"script": None, "report_channel": "stdout", "arguments": {"epochs": 9}, "promoting": ()}
    keys["patterns"] = {"loss": r"loss=(\S+)", "epoch": r"epoch (\d+)"}

    found = check("", command=[str(program)], **keys)
    assert found["lines"].verdict == Verdict.WARNING
    assert "all 4 reports came at the same moment" in found["lines"].text or "all 9 reports" in found["lines"].text
    assert "benchmark.command=[stdbuf,-oL,...]" in found["lines"].text
    assert found["reports"].verdict == found["resources"].verdict == Verdict.OK

    found = check("", command=["stdbuf", "-oL", str(program)], **keys)
    assert "lines" not in found
    assert found["order"].verdict == Verdict.SKIPPED if "order" in found else True


def test_a_program_whose_output_matches_nothing_is_told_its_pattern(check, tmp_path):
    (tmp_path / "train.sh").write_text("echo words")
    found = check(
        "", script=None, command=["sh", str(tmp_path / "train.sh")], report_channel="stdout", max_resource_attr=None,
        patterns={"loss": "loss=(.*)", "epoch": "epoch (.*)"},
    )  # fmt: skip
    assert "matches benchmark.patterns.loss=loss=(.*); the last is 'words'" in found["reports"].text
