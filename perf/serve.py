"""What `hpo serve` costs and how soon it shows: CPU of the server, commits of the tuner, a page's delay, large experiments.

    python -m perf.serve [--only delay,rate,idle,large,many,hostile,start] [--seconds 30] [--folder /dev/shm]

Real servers, real pages in a headless Chromium, event logs written as a tuner writes them. Times of the processor are those
of the process itself, so that a machine that runs other things blurs them little; delays and times until drawn it does blur.
"""

import argparse
import http.client
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

import hpo
from hpo.config.reading import to_yaml
from hpo.events.types import Event, Kind
from hpo.serve.catalogue import id_of
from hpo.store.event_store import Store
from tests.reliability.hostile_directories import mutate
from tests.support.browser import Browser, browser, install


class Log:
    """An experiment's log, written as its tuner would."""

    def __init__(self, directory: Path, trials: int = 1000) -> None:
        directory.mkdir(parents=True)
        config = hpo.load_config("nasbench201_cifar100", "ASHA", random_seed=1, n_workers=8, max_num_trials=trials)
        (directory / "experiment.yaml").write_text(to_yaml(config))
        self.domains = {name: domain.choices for name, domain in config.space.domains.items()}  # type: ignore[union-attr]
        self.draw = random.Random(1)
        self.store = Store(directory / "events.db")
        self.elapsed, self.first = 0.0, time.time()
        self.taken: list[float] = []
        body = {"host": "elsewhere", "pid": 1, "n_workers": 8}
        self.count = 0
        self.append([Event(Kind.OPENED, 0.0, self.first, body=body)])

    def append(self, events: list[Event]) -> None:
        self.store.append(events)
        self.count += len(events)

    def start(self, trial: int) -> Event:
        configuration = {name: self.draw.choice(choices) for name, choices in self.domains.items()}
        return self._event(Kind.STARTED, trial, None, {"configuration": configuration, "until": None})

    def report(self, trial: int, resource: int) -> Event:
        metrics = {"val_acc": 70 * (1 - 1 / (resource + 1)) + 5 * self.draw.random(), "epoch": resource}
        body = {"metrics": metrics, "decision": "CONTINUE", "position": 40 * resource, "line": resource}
        return self._event(Kind.REPORTED, trial, resource, body)

    def end(self, trial: int) -> Event:
        body = {"status": "completed", "exit_code": 0, "signal": None, "error": None, "usage": {}}
        return self._event(Kind.ENDED, trial, None, body)

    def commit(self, events: list[Event]) -> None:
        begin = time.perf_counter()
        self.append(events)
        self.taken.append(time.perf_counter() - begin)

    def fill(self, trials: int, reports: int) -> int:
        """So many trials that are over, in one commit; returns the number of events."""
        events: list[Event] = []
        for trial in range(trials):
            reported = (self.report(trial, resource) for resource in range(1, reports + 1))
            events += [self.start(trial), *reported, self.end(trial)]
        self.append(events)
        return len(events)

    def _event(self, kind: Kind, trial: int, resource: int | None, body: dict[str, Any]) -> Event:
        self.elapsed = max(self.elapsed + 1e-4, time.time() - self.first)
        return Event(kind, self.elapsed, self.first + self.elapsed, trial, 0, resource, body)


class Server:
    """`hpo serve` as a process."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "hpo", "serve", "--no-browser", str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.link = self.process.stdout.readline().strip()
        self.root, _, self.token = self.link.partition("#token=")
        self.about = psutil.Process(self.process.pid)

    def cpu(self) -> float:
        times = self.about.cpu_times()
        return times.user + times.system

    def ask(self, path: str) -> tuple[float, int, int]:
        """Seconds, status and bytes as they are sent."""
        port = int(self.root.rstrip("/").rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        begin = time.perf_counter()
        headers = {"Authorization": f"Bearer {self.token}", "Accept-Encoding": "gzip"}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        size = len(answer.read())
        connection.close()
        return time.perf_counter() - begin, answer.status, size


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    try:
        yield server
    finally:
        server.process.terminate()
        server.process.wait()
        assert server.process.stdout is not None
        server.process.stdout.close()


@contextmanager
def pages(server: Server, count: int) -> Iterator[Browser]:
    """The page of the newest experiment, so many times; each in a window that is seen."""
    with tempfile.TemporaryDirectory() as profile, browser(Path(profile), network=True) as window:
        window.visit(server.link)
        window.visit(f"{server.root}latest")
        for _ in range(count - 1):
            window.driver.switch_to.new_window("window")
            window.visit(f"{server.root}latest")
        time.sleep(3)
        yield window


def steadily(log: Log, rate: float, seconds: float) -> Callable[[], int]:
    """A writer of so many reports a second, of eight trials; call it to write."""

    def write() -> int:
        trials = list(range(10_000, 10_008))
        log.append([log.start(trial) for trial in trials])
        begin, count = time.monotonic(), 0
        while time.monotonic() - begin < seconds:
            count += 1
            time.sleep(max(begin + count / rate - time.monotonic(), 0))
            log.commit([log.report(trials[count % 8], 1 + count // 8)])
        return count

    return write


def quantiles(values: list[float], unit: float = 1e3) -> str:
    ordered = sorted(values)
    return f"median {unit * statistics.median(ordered):.2f}, 99 % {unit * ordered[int(0.99 * len(ordered))]:.2f} ms"


# A number is seen by the page itself, at the frame after it was put there; both clocks are the machine's.
SEEN = """
window.seen = [];
const root_ = document.documentElement, note = () => window.seen.push([+root_.dataset.sequence, Date.now() / 1000]);
const options = { attributes: true, attributeFilter: ['data-sequence'] };
new MutationObserver(() => requestAnimationFrame(note)).observe(root_, options);"""
LONG = """
window.long = [];
const note = (list) => window.long.push(...list.getEntries().map(entry => Math.round(entry.duration)));
new PerformanceObserver(note).observe({ type: 'longtask' });"""
READING = "return /reading|read so far/.test(document.querySelector('#subtitle')?.textContent ?? '')"


def delay(folder: Path, seconds: float) -> None:
    """From the commit until the page shows it, one report a second and 100."""
    log = Log(folder / "outputs" / "t" / "b" / "ASHA" / "seed_0")
    log.fill(20, 10)
    with served(folder) as server, pages(server, 1) as window:
        log.append([log.start(500)])
        for rate in (1.0, 100.0):
            time.sleep(2)
            window.run(SEEN)
            written: dict[int, float] = {}
            begin, count = time.monotonic(), 0
            sequence = log.count
            while time.monotonic() - begin < seconds:
                count += 1
                time.sleep(max(begin + count / rate - time.monotonic(), 0))
                log.commit([log.report(500, count)])
                written[sequence + count] = time.time()
            time.sleep(2)
            seen = sorted(window.run("return window.seen"))
            waited = [next((at for n, at in seen if n >= k), math.inf) - when for k, when in written.items()]
            print(
                f"delay at {rate:g} reports a second: {quantiles(waited)}, {count} written, {seen[-1][0] - sequence} shown"
            )
    log.store.close()


def rate(folder: Path, seconds: float) -> None:
    """CPU of the server and of a page, and the writer's commits, at 100 reports a second."""
    log = Log(folder / "outputs" / "t" / "b" / "ASHA" / "seed_0")
    log.fill(1000, 100)
    for count in (0, 1, 5):
        log.taken.clear()
        write = steadily(log, 100, seconds)
        if not count:
            write()
            print(f"100 reports a second, no server: commits {quantiles(log.taken)}")
            continue
        with served(folder) as server, pages(server, count) as window:
            time.sleep(4)
            window.driver.execute_cdp_cmd("Performance.enable", {})
            window.run(LONG)
            cpu, task, begin = server.cpu(), _task(window), time.monotonic()
            write()
            passed = time.monotonic() - begin
            used, busy = (server.cpu() - cpu) / passed, (_task(window) - task) / passed
            memory = server.about.memory_info().rss / 1e6
            print(
                f"100 reports a second, {count} page(s): server {100 * used:.1f} % of a core, {memory:.0f} MB; commits "
                f"{quantiles(log.taken)}\n  a page's main thread {100 * busy:.1f} %, tasks over 50 ms: "
                f"{window.run('return window.long')}"
            )
    log.store.close()


def _task(window: Browser) -> float:
    found = window.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return {metric["name"]: metric["value"] for metric in found}["TaskDuration"]


def idle(folder: Path, seconds: float) -> None:
    """Nothing is reported, pages are open."""
    log = Log(folder / "outputs" / "t" / "b" / "ASHA" / "seed_0")
    log.fill(100, 10)
    with served(folder) as server, pages(server, 1):
        time.sleep(3)
        cpu = server.cpu()
        time.sleep(seconds)
        used = (server.cpu() - cpu) / seconds
        print(f"nothing reported for {seconds:g} s, one page open: server {100 * used:.2f} % of a core")
    log.store.close()


def large(folder: Path, _: float) -> None:
    """10,000 trials with 10 reports each."""
    log = Log(folder / "outputs" / "t" / "b" / "ASHA" / "seed_0", trials=10_000)
    events = log.fill(10_000, 10)
    with (
        served(folder) as server,
        tempfile.TemporaryDirectory() as profile,
        browser(Path(profile), network=True) as window,
    ):
        window.visit(server.link)
        begin, cpu = time.perf_counter(), server.cpu()
        window.driver.get(f"{server.root}latest")
        told = None
        while not window.run("return document.documentElement.dataset.figures"):
            if told is None and window.run(READING):
                told = time.perf_counter() - begin
            time.sleep(0.02)
        cold, used = time.perf_counter() - begin, server.cpu() - cpu
        address = window.driver.current_url
        begin = time.perf_counter()
        window.driver.get(address)
        while not window.run("return document.documentElement.dataset.figures"):
            time.sleep(0.02)
        warm = time.perf_counter() - begin
        heap = window.run("return performance.memory.usedJSHeapSize") / 1e6
        path = "/api" + address.removeprefix(server.root.rstrip("/"))
        sent = sum(server.ask(path + rest)[2] for rest in ("/charts/main", "/trials?sort=trial&down=1"))
        table = [server.ask(f"{path}/trials?{q}")[0] for q in ("sort=best&down=1", "q=skip", "page=50")]
        memory = server.about.memory_info().rss / 1e6
        shown = "not seen" if told is None else f"from {told:.2f} s on"
        print(
            f"{events} events: drawn after {cold:.1f} s ({used:.1f} s of the server's processor, progress {shown}), again "
            f"{warm:.2f} s; {sent / 1e3:.0f} kB sent; server {memory:.0f} MB, page's heap {heap:.0f} MB; sort, search, page: "
            f"{', '.join(f'{1e3 * one:.0f}' for one in table)} ms"
        )
    log.store.close()


def many(folder: Path, seconds: float) -> None:
    """200 experiments on the first page, 40 events a second over all."""
    logs = [Log(folder / "outputs" / "t" / f"b{i // 20}" / "ASHA" / f"seed_{i % 20}") for i in range(200)]
    for log in logs:
        log.fill(20, 5)
        log.append([log.start(100)])
    with (
        served(folder) as server,
        tempfile.TemporaryDirectory() as profile,
        browser(Path(profile), network=True) as window,
    ):
        window.visit(server.link)
        rows = "return document.querySelectorAll('main tbody tr').length"
        begin = time.perf_counter()
        window.driver.get(server.root)
        while window.run(rows) < 200:
            time.sleep(0.01)
        drawn = time.perf_counter() - begin
        while "reading" in window.run("return document.querySelector('main tbody').textContent"):
            time.sleep(0.05)
        read, reading = time.perf_counter() - begin, server.cpu()
        time.sleep(5)
        cpu, begin = server.cpu(), time.monotonic()
        count = 0
        while time.monotonic() - begin < seconds:
            count += 1
            time.sleep(max(begin + count / 40 - time.monotonic(), 0))
            log = logs[count % 200]
            log.append([log.report(100, 1 + count // 200)])
        used = (server.cpu() - cpu) / (time.monotonic() - begin)
        print(
            f"200 experiments: rows drawn after {drawn:.2f} s, all read after {read:.1f} s ({reading:.1f} s of the server's "
            f"processor); 40 events a second over all: {100 * used:.1f} % of a core, "
            f"{server.about.memory_info().rss / 1e6:.0f} MB"
        )
    for log in logs:
        log.store.close()


def hostile(folder: Path, _: float) -> None:
    """200 experiments, of which somebody has made 20 hostile: how soon the others answer while all 20 are looked at."""
    directories = [folder / "outputs" / "t" / f"b{i // 20}" / "ASHA" / f"seed_{i % 20}" for i in range(200)]
    for directory in directories:
        log = Log(directory)
        log.fill(20, 5)
        log.store.close()
    rng, secret = random.Random(1), folder / "secret"
    secret.write_text("secret")
    done = [mutate(directory, rng, secret) for directory in directories[::10]]
    others = [directory for i, directory in enumerate(directories) if i % 10]
    with served(folder) as server, ThreadPoolExecutor(len(done)) as pool:
        paths = [
            f"/api/e/{id_of(one.resolve())}/{page}" for one in directories[::10] for page in ("t/0", "charts/main")
        ]
        looked = [pool.submit(server.ask, path) for path in paths * 3]
        answers = [server.ask(f"/api/e/{id_of(one.resolve())}/t/0")[:2] for one in others]
        left = sum(not one.done() for one in looked)
        statuses = {status for _, status in answers}
        print(
            f"200 experiments, 20 hostile ({len(set(done))} kinds): the others {quantiles([s for s, _ in answers])}, "
            f"slowest {1e3 * max(s for s, _ in answers):.0f} ms, statuses {statuses}; {left} of {len(looked)} hostile "
            f"requests still unanswered by then"
        )
        for one in looked:
            one.result()


def start(folder: Path, _: float) -> None:
    """The command until its link answers, over importing its packages."""
    log = Log(folder / "outputs" / "t" / "b" / "ASHA" / "seed_0")
    log.store.close()
    imports, starts = [], []
    packages = "import starlette.applications, starlette.responses, uvicorn.server"
    for _ in range(7):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", packages], check=True)
        imports.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        with served(folder) as server:
            server.ask("/")
            starts.append(time.perf_counter() - begin)
    ratio = statistics.median(starts) / statistics.median(imports)
    print(f"until the link answers {statistics.median(starts):.2f} s, {ratio:.2f} x importing starlette and uvicorn")


PARTS = {part.__name__: part for part in (start, delay, rate, idle, large, many, hostile)}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--folder")
    arguments = parser.parse_args()
    if reason := install():
        raise SystemExit(reason)
    for name in arguments.only.split(","):
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            PARTS[name](Path(folder), arguments.seconds)


if __name__ == "__main__":
    main()
