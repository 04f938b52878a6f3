"""Somebody else's app, tuned by overrides alone: real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from hpo import load_experiment
from hpo.config.hydra_versions import VERSION_BASE

pytestmark = pytest.mark.process

REPORTING = """import os
import pathlib
import time

import hydra
import hpo

@hydra.main(config_path="conf", config_name="config", VERSION)
def main(config):
    file = pathlib.Path(os.environ["HPO_CHECKPOINT_DIR"]) / "epoch"
    begin = int(file.read_text()) if file.exists() else 0
    for epoch in range(begin + 1, config.epochs + 1):
        time.sleep(config.seconds)
        file.write_text(str(epoch))
        hpo.report(epoch=epoch, loss=(config.optimizer.lr - 0.1) ** 2 + 1 / epoch)
    return "a return value that nobody asks for"

main()
"""
RETURNING = """import os
import pathlib
import hydra
from omegaconf import OmegaConf

@hydra.main(config_path=None, VERSION)
def main(config):
    content = {"cwd": os.getcwd(), "gpus": os.environ["CUDA_VISIBLE_DEVICES"], **OmegaConf.to_container(config, resolve=True)}
    OmegaConf.save(content, pathlib.Path(os.environ["HPO_CHECKPOINT_DIR"]) / "seen.yaml")
    if config.kind == "nothing":
        return None
    return {"score": config.x * len(config.layers), "kind": "ignored"} if config.kind == "mapping" else config.x

if __name__ == "__main__":
    main()
"""
ASHA = (
    *("hydra/sweeper=hpo", "hydra.sweeper.method=ASHA", "optimizer.lr=tag(log, interval(1e-4, 1))"),
    *("hydra.sweeper.metric=loss", "hydra.sweeper.resource_attr=epoch", "hydra.sweeper.max_resource_attr=epochs"),
    *("hydra.sweeper.max_num_trials=6", "hydra.sweeper.num_gpus_per_trial=0", "hydra.sweeper.n_workers=2"),
)


def start(folder, *words):
    return subprocess.Popen(
        [sys.executable, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )


def run(folder, *words):
    with start(folder, *words) as process:
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def write(folder, files):
    """Write the files of an app that runs on the installed version of Hydra without a warning."""
    version = "".join(f', {key}="{value}"' for key, value in VERSION_BASE.items())
    for name, content in files.items():
        text = content.replace(", VERSION)", f"{version})")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_an_app_is_stopped_early_and_the_same_command_goes_on_after_ctrl_c_and_kill(tmp_path):
    write(tmp_path, {"app.py": REPORTING, "conf/config.yaml": "epochs: 9\nseconds: 0.05\noptimizer: {lr: 0.1}\n"})

    def reports(least):
        files = list(tmp_path.glob("multirun/*/*/app/ASHA/seed_0/trials/*/attempt_*/reports.jsonl"))
        return sum(len(file.read_text().splitlines()) for file in files) >= least

    with start(tmp_path, "app.py", "-m", *ASHA) as first:
        wait_for(lambda: reports(2))
        first.send_signal(signal.SIGINT)
        _, err = first.communicate(timeout=120)
    assert first.returncode == 128 + signal.SIGINT, err
    assert "Traceback" not in err
    time.sleep(1)  # another sweep would have another second in its name

    with start(tmp_path, "app.py", "-m", *ASHA) as second:
        wait_for(lambda: reports(6))
        [owner] = tmp_path.glob("multirun/*/*/app/ASHA/seed_0/.owner.json")
        tuner = json.loads(owner.read_text())["pid"]
        second.kill()
        second.communicate(timeout=120)
    wait_for(lambda: not Path(f"/proc/{tuner}").exists() or "Z" in Path(f"/proc/{tuner}/stat").read_text().split()[2])

    code, out, err = run(tmp_path, "app.py", "-m", *ASHA)
    assert code == 0, err
    [sweep] = tmp_path.glob("multirun/*/*")
    assert f"Going on with the unfinished search in {sweep.relative_to(tmp_path)}" in out
    experiment = load_experiment(sweep / "app" / "ASHA" / "seed_0")
    assert experiment.metadata["status"] == "complete"
    assert len(experiment.trials) == 6
    reached = experiment.reports.groupby("trial_id")["epoch"].max()
    assert reached.max() > reached.min() == 1  # ASHA trains most for one epoch alone
    assert not experiment.reports.duplicated(
        ["trial_id", "epoch"]
    ).any()  # none is made again, nor the return value added
    results = yaml.safe_load((sweep / "optimization_results.yaml").read_text())
    assert results["name"] == "hpo"
    best = experiment.reports.loc[experiment.reports["loss"].idxmin()]
    assert results["best_evaluated_result"] == best["loss"]
    assert results["best_evaluated_params"] == {"optimizer.lr": best["config_optimizer.lr"]}
    assert (sweep / "multirun.yaml").is_file()


def test_what_an_app_returns_is_its_result_and_its_command_line_reaches_every_trial(tmp_path):
    files = {
        "package/__init__.py": "",
        "package/app.py": RETURNING,
        "settings/mine.yaml": "defaults: [_self_, db: mysql, override hydra/sweeper: hpo]\n"
        "x: 0\nlayers: [1]\nkind: mapping\nname: ${db.driver}\ngone: 1\n"
        "hydra:\n  mode: MULTIRUN\n  sweeper:\n    method: RS\n    metric: score\n    mode: max\n    max_num_trials: 3\n"
        "    num_gpus_per_trial: 0\n    params: {x: 'interval(0, 1)', layers: '[1,2],[3]'}\n",
        **{f"settings/db/{name}.yaml": f"driver: {name}\n" for name in ("mysql", "sqlite")},
    }
    write(tmp_path, files)
    fixed = ["db=sqlite", '+extra={a: [1, "it\'s"]}', "~gone", "hydra.job.chdir=true", "hydra.sweep.dir=outputs/t"]
    code, _, err = run(tmp_path, "-m", "package.app", "--config-dir", "settings", "--config-name=mine", *fixed)
    assert code == 0, err
    directory = tmp_path / "outputs" / "t" / "app" / "RS" / "seed_0"
    experiment = load_experiment(directory)
    assert list(experiment.reports["st_worker_iter"]) == [0, 0, 0]
    for _, row in experiment.reports.iterrows():
        trial = str(row["trial_id"])
        seen = yaml.safe_load((directory / "trials" / trial / "checkpoint" / "seen.yaml").read_text())
        assert seen["layers"] == yaml.safe_load(row["config_layers"])
        assert row["score"] == seen["x"] * len(seen["layers"]) == row["config_x"] * len(seen["layers"])
        assert seen["cwd"] == str(directory / "trials" / trial / "attempt_0")
        del seen["x"], seen["layers"], seen["cwd"]
        rest = {"gpus": "", "kind": "mapping", "name": "sqlite", "db": {"driver": "sqlite"}}
        assert seen == {**rest, "extra": {"a": [1, "it's"]}}
    results = yaml.safe_load((tmp_path / "outputs" / "t" / "optimization_results.yaml").read_text())
    assert results["best_evaluated_result"] == experiment.reports["score"].max()
    assert results["best_evaluated_params"]["layers"] in ([1, 2], [3])


def test_an_app_that_neither_reports_nor_returns_is_told_how(tmp_path):
    write(tmp_path, {"app.py": RETURNING})
    words = ["+kind=nothing", "+layers=[1]", "+x=interval(0,1)", "hydra.sweeper.max_num_trials=9"]
    settings = ["hydra/sweeper=hpo", "hydra.sweeper.method=RS", "hydra.sweeper.num_gpus_per_trial=0"]
    code, _, err = run(tmp_path, "app.py", "-m", *settings, *words)
    assert code == 1
    assert "Traceback" not in err
    [sentence] = [line for line in err.splitlines() if line.startswith("hpo: error:")]
    assert (
        "neither reported objective nor returned a number (it returned None): return one from the function" in sentence
    )
    assert "the search has failed; what hpo says of it stands above; a KEY in it is hydra.sweeper.KEY" in err


SEVERAL = """import hydra

@hydra.main(config_path=None, VERSION)
def main(config):
    assert ("momentum" in config) == (config.optimizer == "sgd")
    return {"loss": config.lr, "latency": 1 / config.lr, "size": config.get("momentum", 0.5)}

main()
"""


def test_objectives_constraints_conditions_points_and_earlier_searches_are_said_in_the_sweeper(tmp_path):
    write(tmp_path, {"app.py": SEVERAL})
    space = (
        "{+lr: {type: float, lower: 0.1, upper: 10.0, log: true}, +optimizer: {type: choice, values: [sgd, adam]},"
        " +momentum: {type: float, lower: 0.0, upper: 1.0, when: {optimizer: sgd}}}"
    )
    settings = [
        *("hydra/sweeper=hpo", "hydra.sweeper.method=MO-BO", "hydra.sweeper.num_gpus_per_trial=0"),
        *("hydra.sweeper.max_num_trials=4", "hydra.sweeper.objectives={loss: min, latency: {mode: min, log: true}}"),
        *(f"hydra.sweeper.search_space={space}", "hydra.sweeper.constraints={size: {upper: 0.9}}"),
        "hydra.sweeper.points_to_evaluate=[{lr: 0.5, optimizer: sgd, momentum: 0.25}, {lr: 5.0, optimizer: adam}]",
    ]
    code, out, err = run(tmp_path, "app.py", "-m", *settings, "hydra.sweep.dir=first")
    assert code == 0, out + err
    experiment = load_experiment(tmp_path / "first" / "app" / "MO-BO" / "seed_0")
    first, second, *_ = (row for _, row in experiment.trials.iterrows())
    assert (first["config_lr"], first["config_momentum"], second["config_optimizer"]) == (0.5, 0.25, "adam")
    assert str(second["config_momentum"]) in ("nan", "None", "")
    solutions = yaml.safe_load((tmp_path / "first" / "optimization_results.yaml").read_text())["solutions"]
    assert {"params": {"lr": 5.0, "optimizer": "adam"}, "values": [5.0, 0.2]} in solutions
    earlier = f"hydra.sweeper.warm_start=[{tmp_path}/first]"
    code, out, err = run(tmp_path, "app.py", "-m", *settings[:-1], earlier, "hydra.sweep.dir=second")
    assert code == 0, out + err
    again = load_experiment(tmp_path / "second" / "app" / "MO-BO" / "seed_0")
    assert {0.5, 5.0} & set(again.trials["config_lr"])
