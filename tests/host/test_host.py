"""The trial host, spoken to over its own connection: what a forked Python trial must not notice, and how trials end."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpo.host import process_marks
from hpo.host.host_start import COMMAND, ForkedHost, shared_imports, start_host
from hpo.store.identity import mark_of

pytestmark = pytest.mark.process

TIMEOUT = 30.0


class HostProcess:
    """A real host and the tuner's end of its connection; `forked` from the nursery that there is, if need be."""

    def __init__(self, folder, *preload, grace=5.0, env=None, forked=False, **options):
        self.folder = folder
        self.mark = mark_of(folder)
        self.socket, theirs = socket.socketpair()
        self.key = 0
        self.buffer = b""
        if forked:
            with theirs, (folder / "host.log").open("ab") as log:
                environment = {**os.environ, **(env or {})}
                self.process = start_host(
                    self.mark, grace, preload, connection=theirs, log_file=log.fileno(), environment=environment
                )
            assert isinstance(self.process, ForkedHost)
            return
        with theirs:
            self.process = subprocess.Popen(
                [*COMMAND, str(theirs.fileno()), str(self.mark), str(grace), *preload],
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env={**os.environ, **(env or {})},
                **options,
            )

    def start(self, script=None, argv=None, env=None, **more):
        self.key += 1
        out, err = (str(self.folder / f"{name}{self.key}") for name in ("out", "err"))
        order = {"do": "start", "key": self.key, "script": str(script) if script else None}
        order |= {"argv": argv or [str(script)], "env": env or {}, "stdout": out, "stderr": err, **more}
        self.send(order)
        return self.key

    def send(self, order):
        self.socket.sendall(json.dumps(order).encode() + b"\n")

    def stop(self, key, patience=0.0, grace=5.0):
        self.send({"do": "stop", "key": key, "patience": patience, "grace": grace})

    def outcome(self):
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.socket], [], [], TIMEOUT)
            assert ready, "the host says nothing"
            data = self.socket.recv(1 << 16)
            assert data, "the host hung up"
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)

    def run(self, text, *arguments, env=None):
        """Run a script; (outcome, stdout, stderr)."""
        script = self.folder / f"script{self.key}.py"
        script.write_text(text)
        key = self.start(script, [str(script), *arguments], env)
        outcome = self.outcome()
        assert outcome["key"] == key
        return outcome, (self.folder / f"out{key}").read_text(), (self.folder / f"err{key}").read_text()

    def close(self):
        self.socket.close()
        return self.process.wait(TIMEOUT)


@pytest.fixture(params=["of its own", "of a nursery"])
def host(request, tmp_path):
    forked = request.param == "of a nursery"
    with shared_imports() if forked else contextlib.nullcontext():
        made = HostProcess(tmp_path, *(["json"] if forked else []), forked=forked)
        yield made
        made.close()
    assert process_marks.marked(made.mark, whole_experiment=True) == []


@pytest.fixture(scope="module")
def torch_host(tmp_path_factory):
    made = HostProcess(tmp_path_factory.mktemp("host"), "torch", "numpy", env={"OMP_NUM_THREADS": "1"})
    yield made
    made.close()


def under_python(tmp_path, text, *arguments, env=None):
    """The same script under `python script.py`."""
    script = tmp_path / "reference.py"
    script.write_text(text)
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


LOOK = """
import sys, os, json, signal, threading, multiprocessing
def fds():
    return sorted(int(f) for f in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{f}"))
handlers = {n: str(signal.getsignal(getattr(signal, n))) for n in ("SIGINT","SIGTERM","SIGHUP","SIGCHLD","SIGPIPE","SIGQUIT")}
main = sys.modules["__main__"]
print(json.dumps({
    "name": __name__, "file": os.path.basename(__file__), "spec": repr(__spec__), "package": repr(__package__),
    "argv": sys.argv[1:], "argv0": os.path.basename(sys.argv[0]),
    "path0": sys.path[0] == os.path.dirname(os.path.realpath(__file__)),
    "main": main.__dict__ is globals(), "doc": __doc__, "builtins": __builtins__.__name__, "handlers": handlers,
    "mask": [int(s) for s in signal.pthread_sigmask(signal.SIG_BLOCK, [])], "fds": fds(), "threads": threading.active_count(),
    "thread": threading.current_thread() is threading.main_thread(), "parent": str(multiprocessing.parent_process()),
    "process": multiprocessing.current_process().name, "stdin": sys.stdin.read(), "encoding": sys.stdout.encoding,
    "buffering": sys.stdout.line_buffering, "wakeup": signal.set_wakeup_fd(-1), "cwd": os.getcwd(),
    "keys": sorted(globals())[:9],
}))
"""


def test_a_forked_script_sees_what_it_sees_under_python(host, tmp_path):
    outcome, out, err = host.run(LOOK, "--a=1", "b c")
    assert (outcome["code"], err) == (0, "")
    seen = json.loads(out)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script0.py"), "--a=1", "b c"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen == json.loads(done.stdout) | {"fds": seen["fds"]}
    assert len(seen["fds"]) <= 4  # 0, 1, 2 and the listing itself


def test_the_environment_is_the_hosts_plus_what_the_order_says(host):
    _, out, _ = host.run("import os; print(os.environ['HPO_X'], 'PATH' in os.environ)", env={"HPO_X": "a\nb ü"})
    assert out == "a\nb ü True\n"


@pytest.mark.parametrize(
    "text",
    [
        "pass",
        "import sys; sys.exit(3)",
        "import sys; sys.exit()",
        "import sys; sys.exit('no data')",
        "import sys; sys.exit(-1)",
        "import os; os._exit(7)",
        "raise ValueError('x')",
        "def f():\n    raise KeyError('deep')\nf()",
        "import this_is_not_there",
        "print('a'\n",
        "raise KeyboardInterrupt",
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "import ctypes; ctypes.string_at(0)",
        "import atexit; atexit.register(print, 'bye'); print('hi')",
        "import threading, time\ndef f():\n    time.sleep(.1); print('thread')\n"
        "threading.Thread(target=f).start(); print('main')",
        "import tempfile; t = tempfile.TemporaryDirectory(); print('ok')",
        "import sys; sys.excepthook = lambda *a: print('hooked', a[0].__name__); 1/0",
        "class A:\n    def __del__(self): print('deleted')\na = A()",
        "import sys; sys.stdout.write('no newline')",
        "import sys; sys.stderr.write('err'); raise SystemExit(2)",
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: 'int' = 1\nprint(A())",
        "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))).__name__)",
    ],
)
def test_a_script_ends_as_under_python(host, tmp_path, text):
    outcome, out, err = host.run(text)
    code, expected_out, expected_err = under_python(tmp_path, text)
    assert (outcome["code"], outcome["signal"]) == ((code, None) if code >= 0 else (None, -code))
    assert out == expected_out
    assert err.replace("script0.py", "reference.py") == expected_err


def test_a_file_left_open_is_written_out(host, tmp_path):
    host.run("import sys; f = open(sys.argv[1], 'w'); f.write('kept')", str(tmp_path / "left_open"))
    assert (tmp_path / "left_open").read_text() == "kept"


def test_random_numbers_differ_from_trial_to_trial_as_in_fresh_interpreters(torch_host):
    text = (
        "import random, numpy, torch, uuid\n"
        "print(random.random(), numpy.random.random(), torch.rand(1).item(), uuid.uuid4())"
    )
    rows = [torch_host.run(text)[1].split() for _ in range(3)]
    for column in zip(*rows, strict=True):
        assert len(set(column)) == 3


def test_torch_is_loaded_without_cuda_and_with_the_threads_it_was_given(torch_host):
    _, out, _ = torch_host.run("import torch; print(torch.get_num_threads(), torch.cuda.is_initialized())")
    assert out == "1 False\n"


LOADER = """
import torch, sys
from torch.utils.data import DataLoader, Dataset
class Squares(Dataset):
    def __len__(self): return 8
    def __getitem__(self, i): return torch.tensor(i * i)
if __name__ == "__main__":
    loader = DataLoader(Squares(), batch_size=2, num_workers=2, multiprocessing_context=sys.argv[1])
    print(sum(int(b.sum()) for b in loader))
"""


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_data_loader_workers_work_forked_and_spawned(torch_host, context):
    outcome, out, err = torch_host.run(LOADER, context)
    assert (outcome["code"], out) == (0, "140\n"), err


def test_an_edited_script_is_run_as_edited(host, tmp_path):
    script = tmp_path / "edited.py"
    for text in ("one", "two!"):
        script.write_text(f"print('{text}')")
        key = host.start(script)
        assert host.outcome()["code"] == 0
        assert (tmp_path / f"out{key}").read_text() == f"{text}\n"


def test_a_program_that_is_not_python_is_executed_with_exact_arguments(host, tmp_path):
    values = ["a b", "", "-x", "$(touch no)", "quote'\"", "new\nline", "; rm", "é\U0001f600"]
    key = host.start(argv=["printf", "%s\\0", *values])
    assert host.outcome()["code"] == 0
    assert (tmp_path / f"out{key}").read_bytes().decode().split("\0")[:-1] == values


def test_an_executed_program_has_default_signal_handlers(host, tmp_path):
    key = host.start(argv=["grep", "-E", "SigIgn|SigBlk", "/proc/self/status"])
    assert host.outcome()["code"] == 0
    assert {line.split()[1] for line in (tmp_path / f"out{key}").read_text().splitlines()} == {"0000000000000000"}


def test_a_program_that_is_not_there_is_said_so(host, tmp_path):
    key = host.start(argv=["/no/such/program"])
    assert host.outcome()["code"] == 127
    assert "'/no/such/program' cannot be started: No such file" in (tmp_path / f"err{key}").read_text()


def test_usage_counts_the_time_and_memory_of_a_trial(host):
    outcome, _, _ = host.run(
        "x = bytearray(100_000_000)\nimport time; t=time.process_time()\nwhile time.process_time()-t<.2: pass"
    )
    assert 0.15 < outcome["usage"]["cpu_seconds"] < 5
    assert outcome["usage"]["peak_memory_mb"] > 95


def wait_for_file(path):
    deadline = time.monotonic() + TIMEOUT
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return path.read_text()


def test_stopping_gives_a_trial_its_grace_to_write_a_checkpoint(host, tmp_path):
    script = tmp_path / "graceful.py"
    script.write_text(
        "import signal, sys, time\n"
        "def save(*_):\n    time.sleep(.3); open(sys.argv[1] + '.saved', 'w').write('1'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, save); open(sys.argv[1], 'w').write('ready'); time.sleep(60)"
    )
    key = host.start(script, [str(script), str(tmp_path / "ready")])
    wait_for_file(tmp_path / "ready")
    host.stop(key)
    assert host.outcome()["code"] == 0
    assert (tmp_path / "ready.saved").exists()


def test_stopping_kills_what_ignores_sigterm_after_its_grace(host, tmp_path):
    script = tmp_path / "stubborn.py"
    script.write_text(
        "import signal, sys, time, subprocess\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen(['sleep', '61'])\nopen(sys.argv[1], 'w').write('ready'); time.sleep(60)"
    )
    key = host.start(script, [str(script), str(tmp_path / "ready")])
    wait_for_file(tmp_path / "ready")
    host.stop(key, grace=0.3)
    assert host.outcome()["signal"] == signal.SIGKILL
    assert process_marks.marked(host.mark + key) == []


DEAF = """
import signal, sys, time
def count(*_):
    with open(sys.argv[1], "a") as file:
        file.write("T")
signal.signal(signal.SIGTERM, count)
open(sys.argv[1] + ".ready", "w").write("ready")
while True:
    time.sleep(0.01)
"""


@pytest.mark.parametrize(("first", "second"), [(1.0, 600.0), (600.0, 0.0), (600.0, 0.2)])
def test_a_second_order_to_stop_sends_no_second_sigterm_and_can_only_hasten_the_end(host, tmp_path, first, second):
    script = tmp_path / "deaf.py"
    script.write_text(DEAF)
    key = host.start(script, [str(script), str(tmp_path / "heard")])
    wait_for_file(tmp_path / "heard.ready")
    host.stop(key, grace=first)
    wait_for_file(tmp_path / "heard")
    host.stop(key, grace=second)
    assert host.outcome()["signal"] == signal.SIGKILL
    assert (tmp_path / "heard").read_text() == "T"


def test_a_second_order_before_the_first_is_due_can_only_hasten_the_end(host, tmp_path):
    script = tmp_path / "deaf.py"
    script.write_text(DEAF)
    key = host.start(script, [str(script), str(tmp_path / "heard")])
    wait_for_file(tmp_path / "heard.ready")
    host.stop(key, patience=0.3, grace=0.2)
    host.stop(key, patience=600.0, grace=600.0)
    assert host.outcome()["signal"] == signal.SIGKILL
    assert (tmp_path / "heard").read_text() == "T"


@pytest.mark.parametrize("grace", [2.2e6, 1e10, float("inf")])
def test_a_grace_of_any_length_is_waited_for(host, tmp_path, grace):
    script = tmp_path / "graceful.py"
    script.write_text(
        "import signal, sys, time\n"
        "def save(*_):\n    time.sleep(.3); sys.exit(7)\n"
        "signal.signal(signal.SIGTERM, save); open(sys.argv[1], 'w').write('ready'); time.sleep(60)"
    )
    key = host.start(script, [str(script), str(tmp_path / "ready")])
    wait_for_file(tmp_path / "ready")
    host.stop(key, grace=grace)
    assert host.outcome()["code"] == 7


def test_a_stopped_process_can_still_be_ended(host, tmp_path):
    key = host.start(argv=["sh", "-c", f"echo ready > {tmp_path}/ready; kill -STOP $$; sleep 60"])
    wait_for_file(tmp_path / "ready")
    host.stop(key, grace=0.3)
    assert host.outcome()["signal"] in (signal.SIGKILL, signal.SIGTERM)


def test_with_patience_a_trial_that_ends_by_itself_is_not_signalled(host, tmp_path):
    key = host.start(argv=["sh", "-c", "trap 'echo term' TERM; sleep 0.3; echo done"])
    host.stop(key, patience=20.0)
    assert host.outcome()["code"] == 0
    assert (tmp_path / f"out{key}").read_text() == "done\n"


def test_processes_that_outlive_their_trial_are_ended_before_the_slot_is_free(host, tmp_path):
    text = """
import os, sys, subprocess, time
subprocess.Popen(["sleep", "61"])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 64); time.sleep(61)
    os._exit(0)
time.sleep(.1)
"""
    outcome, _, _ = host.run(text)
    assert outcome["code"] == 0
    assert process_marks.marked(host.mark + host.key) == []


def test_one_trials_leftovers_are_ended_and_another_trials_daemon_is_not(host, tmp_path):
    daemon = (
        "import os, sys, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(60)\n"
        "open(sys.argv[1],'w').write('x'); time.sleep(60)"
    )
    script = tmp_path / "daemon.py"
    script.write_text(daemon)
    first = host.start(script, [str(script), str(tmp_path / "ready")])
    wait_for_file(tmp_path / "ready")
    host.start(argv=["sh", "-c", "sleep 61 & exit 0"])
    assert host.outcome()["key"] == first + 1
    assert len(process_marks.marked(host.mark + first)) == 2
    host.stop(first)
    assert host.outcome()["key"] == first


def test_when_the_tuner_is_gone_everything_ends(tmp_path):
    host = HostProcess(tmp_path, grace=0.5)
    script = tmp_path / "script.py"
    script.write_text(
        "import signal, sys, time, subprocess, os\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen(['sleep','61'], start_new_session=True)\nopen(sys.argv[1],'w').write('x'); time.sleep(60)"
    )
    for number in range(2):
        host.start(script, [str(script), str(tmp_path / f"ready{number}")])
    for number in range(2):
        wait_for_file(tmp_path / f"ready{number}")
    assert host.close() == 0
    assert process_marks.marked(host.mark, whole_experiment=True) == []


def test_the_host_ignores_signals_that_are_meant_for_the_tuner(host):
    host.run("pass")  # it is up
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        host.process.send_signal(number)
    assert host.run("print('still here')")[1] == "still here\n"


def test_a_host_that_was_started_with_signals_blocked_hears_of_the_end_of_its_trials(tmp_path):
    def block():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1])

    host = HostProcess(tmp_path, preexec_fn=block)
    # It ends while the host sleeps, and not while it is busy with the start.
    key = host.start(argv=["sh", "-c", "sleep 1; grep SigBlk /proc/self/status"])
    assert host.outcome()["code"] == 0
    assert (tmp_path / f"out{key}").read_text().split()[1] == "0000000000000000"
    host.close()


SHADOWS = ("argparse", "json", "logging", "queue", "random", "select", "signal", "statistics", "tempfile", "typing")


@pytest.mark.parametrize("preload", [(), ("statistics", "mine")])
def test_modules_of_python_are_not_looked_for_in_the_working_directory(tmp_path, preload):
    here = tmp_path / "here"
    here.mkdir()
    for name in SHADOWS:
        (here / f"{name}.py").write_text("raise RuntimeError('not for the host')")
    (here / "mine.py").write_text("VALUE = 5")  # a module of the user's that is to be preloaded is
    host = HostProcess(tmp_path, *preload, cwd=here)
    outcome, out, err = host.run(
        "import os, sys, random, queue\n"
        "print(sys.path[0] == os.path.dirname(os.path.realpath(__file__)), os.getcwd() in sys.path, 'mine' in sys.modules)"
    )
    assert (outcome["code"], out, err) == (0, f"True False {bool(preload)}\n", "")
    host.close()


def test_when_the_host_is_killed_its_trials_die_with_it(tmp_path):
    host = HostProcess(tmp_path)
    host.start(argv=["sh", "-c", f"echo ready > {tmp_path}/ready; exec sleep 60"])
    wait_for_file(tmp_path / "ready")
    host.process.kill()
    host.process.wait()
    process_marks.wait_gone(process_marks.marked(host.mark, whole_experiment=True), 5.0)
    assert process_marks.marked(host.mark, whole_experiment=True) == []
    host.socket.close()


def test_a_module_that_cannot_be_preloaded_is_named(tmp_path):
    host = HostProcess(tmp_path, "no_such_module_at_all")
    assert "benchmark.preload: no_such_module_at_all cannot be imported" in host.outcome()["fatal"]
    host.close()


def test_a_module_that_exits_when_it_is_preloaded_is_named(tmp_path, monkeypatch):
    """A training script does, which takes the arguments of the host for its own."""
    (tmp_path / "exits_when_imported.py").write_text("raise SystemExit(2)")
    monkeypatch.chdir(tmp_path)
    host = HostProcess(tmp_path, "exits_when_imported")
    assert "benchmark.preload: exits_when_imported cannot be imported (SystemExit: 2)" in host.outcome()["fatal"]
    host.close()


def descriptors_at_rest(host):
    """How many the host holds once it waits for orders with one child forked ahead, and no other child, dead or alive."""
    folder = Path(f"/proc/{host.process.pid}")
    for _ in range(int(TIMEOUT / 0.01)):
        asleep = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "S"  # first: it forks before it waits
        children = (folder / f"task/{host.process.pid}/children").read_text().split()
        if asleep and len(children) == 1:
            return len(list((folder / "fd").iterdir()))
        time.sleep(0.01)
    raise AssertionError(f"the host does not come to rest: children {children}")


def test_hundreds_of_short_trials_leave_no_descriptors_or_zombies_behind(host):
    for _ in range(10):
        host.start(argv=["true"])
        host.outcome()
    before = descriptors_at_rest(host)
    for _ in range(200):
        host.start(argv=["true"])
        host.outcome()
    assert descriptors_at_rest(host) == before


def test_a_trial_stopped_the_moment_it_is_ordered_needs_no_grace(tmp_path):
    for number in range(15):
        folder = tmp_path / str(number)
        folder.mkdir()
        host = HostProcess(folder, grace=60.0)
        key = host.start(argv=["sleep", "60"])
        host.stop(key, grace=60.0)
        assert host.outcome()["signal"] == signal.SIGTERM
        host.close()


SHADOWING = """
import random
import hpo
print(random.MINE, sys.argv[1:], __file__ == sys.argv[0], callable(hpo.report)) if (sys := __import__("sys")) else None
raise SystemExit(4)
"""


@pytest.mark.parametrize("name", ["random.py", "random/__init__.py"])
def test_a_module_beside_the_script_comes_before_one_that_the_host_has(host, tmp_path, name):
    host.run("pass")  # by now it has imported what nearly every script does
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("MINE = 'mine'")
    outcome, out, err = host.run(SHADOWING, "a b")
    assert (outcome["code"], out, err) == (4, "mine ['a b'] True True\n", "")


@pytest.mark.parametrize("name", ["random.txt", "random/data.csv", "os.py", "hpo.py"])
def test_what_cannot_or_shall_not_hide_a_module_leaves_a_trial_a_fork(host, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("")
    outcome, out, err = host.run("import sys, hpo; print('hpo.host' in sys.modules, callable(hpo.report))")
    assert (outcome["code"], out, err) == (0, "True True\n", "")
