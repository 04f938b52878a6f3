"""What a forked trial is: the script that was ordered, and nothing that differs from a fresh interpreter."""

import hashlib
import os
import time

import pytest

import hpo
from hpo.host import child
from tests.support.marks import or_slow

POOL = """
import argparse, json, os
import joblib
import numpy as np
import threadpoolctl
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
import hpo

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
x = parser.parse_args().x

def pools():
    keys = ("user_api", "internal_api", "num_threads", "version", "threading_layer")
    return sorted(json.dumps({key: pool.get(key) for key in keys}) for pool in threadpoolctl.threadpool_info())

def score(fold):
    X, y = load_iris(return_X_y=True)
    return cross_val_score(LogisticRegression(C=10 * x + .1, random_state=fold), X, y, cv=3).mean()

scores = joblib.Parallel(n_jobs=-1)(joblib.delayed(score)(fold) for fold in range(4))
print(pools(), joblib.Parallel(n_jobs=-1)(joblib.delayed(pools)() for _ in range(2)), joblib.cpu_count())
print(np.linalg.svd(np.arange(90000.0).reshape(300, 300) % 7)[1][:3])
hpo.report(loss=1 - np.mean(scores))
"""

LOADER = """
import argparse, os
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
import hpo

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--x", type=float)
    x = parser.parse_args().x
    torch.manual_seed(3)
    data = TensorDataset(torch.randn(64, 4), torch.randn(64, 1))
    model = nn.Linear(4, 1)
    print(os.environ.get("TORCHINDUCTOR_CACHE_DIR"))
    optimizer = torch.optim.Adam(model.parameters(), lr=x)
    print(torch.get_num_threads(), torch.get_num_interop_threads(), torch.cuda.is_initialized(), torch.initial_seed())
    for context in ("fork", "spawn"):
        loader = DataLoader(data, batch_size=16, shuffle=True, num_workers=2, multiprocessing_context=context)
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(inputs), targets)
            loss.backward()
            optimizer.step()
    print(repr(loss.item()))
    hpo.report(loss=loss.item())
"""

SPAWNED = """
import argparse, atexit, multiprocessing, os, sys, threading
import pandas as pd
import numpy
import hpo

def square(value):
    return value * value, multiprocessing.current_process().name, os.environ.get("FROM_PARENT"), __name__

if __name__ == "__main__":
    atexit.register(print, "at the end")
    parser = argparse.ArgumentParser()
    parser.add_argument("--x", type=float)
    x = parser.parse_args().x
    os.environ["FROM_PARENT"] = "yes"
    for context in ("spawn", "forkserver"):
        with multiprocessing.get_context(context).Pool(1) as pool:
            print(pool.map(square, range(3)))
    threading.Thread(target=lambda: print("in a thread")).start()
    hpo.report(loss=float(pd.Series([x, 2 * x]).mean()))
"""

LOOKING = '''
"""What a script can see of its process."""
from __future__ import annotations
import argparse, locale, logging, multiprocessing, os, random, signal, sys, threading, warnings
import numpy as np, threadpoolctl
from scipy import stats
import hpo

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
x = parser.parse_args().x
print(sorted((k, v) for k, v in os.environ.items() if not k.startswith(("HPO_", "LC_CTYPE"))))
print(sys.path[1:], sys.flags, sys.warnoptions, sys.getrecursionlimit(), sys.dont_write_bytecode, sys.stdin.read())
print(logging.root.handlers, logging.root.level, warnings.filters, locale.getlocale(), sys.excepthook is sys.__excepthook__)
print([signal.getsignal(n) for n in sorted(signal.valid_signals())], signal.pthread_sigmask(signal.SIG_BLOCK, []))
print(threading.enumerate()[0].name, threading.active_count(), multiprocessing.get_start_method(), os.getcwd())
print(sorted(os.readlink(f"/proc/self/fd/{n}").rpartition("/")[2] for n in (0, 1, 2)), len(os.listdir("/proc/self/fd")))
print([(p["internal_api"], p["num_threads"]) for p in threadpoolctl.threadpool_info()], os.sched_getaffinity(0))
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
logging.info("configured")
logging.getLogger("a.b").warning("heard")
warnings.simplefilter("always")
warnings.showwarning = lambda message, *_: print("warned", message)
warnings.warn("once")
random.seed(int(os.environ["HPO_TRIAL_SEED"]))
np.random.seed(5)
print(random.random(), np.random.random(), stats.norm.rvs(random_state=1), globals().keys())
hpo.report(loss=x + np.random.default_rng(1).random())
'''

ENDING = """
import argparse, ctypes, os, sys
import numpy as np
import hpo

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
x = parser.parse_args().x
hpo.report(loss=x)
print("trained")
sys.stdout.flush()
match int(os.environ["HPO_TRIAL_ID"]) % 4:
    case 0: np.ones(3) @ np.ones(4)
    case 1: sys.exit(3)
    case 2: ctypes.string_at(0)
    case 3: sys.exit("no data")
"""

SCRIPTS = {"pool": POOL, "loader": LOADER, "spawned": SPAWNED, "looking": LOOKING, "ending": ENDING}


def outcome(folder, script, preload, n_workers, trials):
    """What an experiment is known by: metrics, exit codes, signals, what is printed, last words."""
    benchmark = {
        "name": "unlike", "script": str(script), "metric": "loss", "mode": "min", "num_gpus_per_trial": 0,
        "config_space": {"x": {"type": "float", "lower": 0.01, "upper": 1.0}}, "n_workers": n_workers,
        "max_num_trials": trials, "preload": preload,
    }  # fmt: skip
    benchmark = {key: value for key, value in benchmark.items() if value is not ...}
    config = hpo.load_config(benchmark, "RS", random_seed=1, max_failures=10)
    hpo.run_experiment(config, folder)
    experiment = hpo.load_experiment(folder)
    reports = experiment.reports.sort_values("trial_id")
    ends = {e.trial: (e.body["status"], e.body.get("exit_code"), e.body.get("signal"))
            for e in experiment.events if e.kind == "ended"}  # fmt: skip
    texts = {}
    for trial in sorted(ends):
        out, err = (folder / f"trials/{trial}/attempt_0/{name}.log" for name in ("stdout", "stderr"))
        last = err.read_text().splitlines()[-1:] if err.exists() else []
        texts[trial] = out.read_text(), last
    log = (folder / "hpo.log").read_text()
    return list(zip(reports["trial_id"], reports["loss"], strict=True)), dict(sorted(ends.items())), texts, log


@pytest.mark.process
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "n_workers"),
    or_slow(
        [*((name, 2) for name in SCRIPTS), ("pool", 1), ("looking", 1)], [("spawned", 2), ("looking", 1), ("ending", 2)]
    ),
)
def test_a_trial_of_an_imported_script_is_that_of_a_fresh_interpreter(tmp_path, monkeypatch, name, n_workers):
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "train.py"
    script.write_text(SCRIPTS[name])
    trials = {"ending": 4, "pool": 1, "loader": 1}.get(name, 2)
    *imported, said = outcome(tmp_path / "auto", script, ..., n_workers, trials)
    *fresh, silent = outcome(tmp_path / "null", script, None, n_workers, trials)
    assert imported[0], "no report"
    for one, other in zip(imported, fresh, strict=True):
        assert one == other
    assert "imported once for all trials" in said
    assert "left out" not in said
    assert "preload" not in silent


def digest(text):
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class Ordered:
    """A script as it was when an attempt was ordered, and what its fork says of it."""

    def __init__(self, folder, text="x = 1"):
        self.script, self.told = folder / "train.py", folder / "script.digest"
        self.write(text)
        time.sleep(0.12)  # any further change gives it another signature
        signature = list(child.signature_of(self.script.stat()))
        self.expected = {"signature": signature, "digest": digest(text), "told": str(self.told)}

    def write(self, text):
        self.script.write_text(text)

    def run(self, expected=...):
        """Load the script as a fork does and return the value that it gives to x."""
        names = {}
        exec(child._load(str(self.script), self.expected if expected is ... else expected), names)
        return names["x"]


@pytest.fixture
def ordered(tmp_path, monkeypatch):
    monkeypatch.setattr(child, "_code", {})
    return Ordered(tmp_path)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_fork_with_the_ordered_script_says_nothing(ordered, compiled):
    if compiled:
        child.compile_once(str(ordered.script))
    assert ordered.run() == 1
    assert not ordered.told.exists()


@pytest.mark.parametrize("compiled", [False, True])
def test_a_fork_that_finds_another_script_runs_that_and_says_which(ordered, compiled):
    if compiled:
        child.compile_once(str(ordered.script))
    ordered.write("x = 2")
    assert ordered.run() == 2
    assert ordered.told.read_text() == digest("x = 2")


def test_what_the_host_has_compiled_before_an_edit_is_not_what_a_later_order_runs(ordered):
    child.compile_once(str(ordered.script))
    ordered.write("x = 2")
    edited = Ordered(ordered.script.parent, "x = 2")
    assert edited.run() == 2
    assert not edited.told.exists()
    child.compile_once(str(edited.script))
    assert edited.run() == 2
    assert not edited.told.exists()


def test_code_that_the_host_has_compiled_is_reported_if_the_order_was_of_another(ordered):
    """The host has compiled an edit that came after the order."""
    ordered.write("x = 2")
    time.sleep(0.12)
    child.compile_once(str(ordered.script))
    assert ordered.run() == 2
    assert ordered.told.read_text() == digest("x = 2")


def test_a_script_with_the_ordered_content_and_another_time_is_the_ordered_one(ordered):
    os.utime(ordered.script)
    assert ordered.run() == 1
    assert not ordered.told.exists()


def test_a_script_that_was_written_a_moment_ago_is_not_compiled_for_later_trials(ordered):
    """A second change within a tick of the file system's clock would have the same signature."""
    ordered.write("x = 2")
    child.compile_once(str(ordered.script))
    assert child._code == {}


def test_without_an_order_to_compare_with_the_script_is_run_as_it_is(ordered):
    ordered.write("x = 3")
    assert ordered.run(expected=None) == 3
    assert not ordered.told.exists()


@pytest.mark.parametrize("text", ["x = (", "x = '\x00'"])
def test_a_script_that_cannot_be_compiled_fails_in_the_trial_and_not_in_the_host(ordered, text):
    ordered.write(text)
    time.sleep(0.12)
    child.compile_once(str(ordered.script))
    assert child._code == {}
    with pytest.raises((SyntaxError, ValueError)):
        ordered.run(expected=None)
