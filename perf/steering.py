"""How soon a command is obeyed: from the page's request until it is stored, and until the trial gets its SIGTERM.

    python -m perf.steering [--times 20]

A real experiment of two trials that report five times a second, and `hpo serve --steer` beside it.
"""

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import hpo
from hpo.events.types import Kind
from hpo.results.experiment import load_experiment
from hpo.serve.catalogue import id_of

SCRIPT = """
import os, signal, time, hpo
def note(number, frame):
    open(os.environ["HPO_EXPERIMENT_DIR"] + "/../ended_" + os.environ["HPO_TRIAL_ID"], "w").write(repr(time.time()))
    os._exit(0)
signal.signal(signal.SIGTERM, note)
a = hpo.arguments(x=0.5, epochs=100000)
for epoch in range(1, a.epochs + 1):
    hpo.report(epoch=epoch, loss=a.x / epoch)
    time.sleep(0.2)
"""
RUN = """
import sys, hpo, yaml
config = hpo.load_config(yaml.safe_load(open("benchmark.yaml")), "RS", random_seed=1)
hpo.run_experiment(config, sys.argv[1])
"""
BENCHMARK = """
name: b
script: {folder}/train.py
metric: loss
mode: min
resource_attr: epoch
max_resource_attr: epochs
config_space: {{x: {{type: float, lower: 0.0, upper: 1.0}}}}
arguments: {{epochs: 100000}}
n_workers: 2
max_num_trials: 1000
num_gpus_per_trial: 0
"""


def stop(port: int, token: str, directory: Path, trial: int) -> tuple[float, float]:
    """Have a trial stopped: unix times of the request and of the tuner's answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    headers["Origin"] = f"http://127.0.0.1:{port}"
    body = json.dumps({"command": "stop", "arguments": {"trial": trial}})
    begin = time.time()
    connection.request("POST", f"/api/e/{id_of(directory)}/commands", body, headers)
    answer = connection.getresponse()
    content = answer.read()
    end = time.time()
    connection.close()
    assert answer.status == 200, content
    return begin, end


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "train.py").write_text(SCRIPT)
        (folder / "benchmark.yaml").write_text(BENCHMARK.format(folder=folder))
        directory = folder / "outputs" / "experiment"
        tuner = subprocess.Popen([sys.executable, "-c", RUN, str(directory)], cwd=folder)
        while not (directory / "trials" / "1" / "attempt_0" / "reports.jsonl").exists():
            time.sleep(0.05)
        time.sleep(2)
        command = [sys.executable, "-m", "hpo", "serve", "--steer", "--no-browser", str(directory)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        server.stdout.readline()
        link = server.stdout.readline().split()[0]
        port, token = int(link.partition("#")[0].rstrip("/").rpartition(":")[2]), link.partition("token=")[2]
        stored, answered, signalled = [], [], []
        try:
            for _ in range(times):
                trial = min(load_experiment(directory).state.running)
                begin, end = stop(port, token, directory, trial)
                answered.append(1e3 * (end - begin))
                noted = max(e.time for e in load_experiment(directory).events if e.kind == Kind.COMMANDED)
                stored.append(1e3 * (noted - begin))
                ended = directory.parent / f"ended_{trial}"
                while not (ended.exists() and ended.read_text()):
                    time.sleep(0.01)
                signalled.append(1e3 * (float(ended.read_text()) - begin))
                time.sleep(1.0)
        finally:
            for process in (server, tuner):
                process.terminate()
                process.wait()
    every = {"noted by the tuner": stored, "answered": answered, "SIGTERM at the trial": signalled}
    for what, found in ((name, found[1:]) for name, found in every.items()):
        print(f"{what}: median {statistics.median(found):.0f} ms, largest {max(found):.0f} ms of {len(found)}")
    print(f"the first: answered after {answered[0]:.0f} ms; hpo {hpo.__version__}")


if __name__ == "__main__":
    main()
