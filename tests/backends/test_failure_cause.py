"""Which line of the user's own code a traceback at the end of a log leads to."""

import json
import subprocess
import sys

import pytest

import hpo
from hpo.backends.failure_cause import ending, line_of_script, without_launcher


@pytest.fixture
def log(tmp_path):
    """Writes a log; returns where its traceback leads, seen from code/ and from work/."""

    def where(text):
        path = tmp_path / "stderr.log"
        path.write_text(text)
        return line_of_script(path, [tmp_path / "code", tmp_path / "work"])

    return where


def trace(*frames):
    text = "".join(f'  File "{file}", line {line}, in f\n    x()\n' for file, line in frames)
    return f"Traceback (most recent call last):\n{text}ValueError: bad\n"


def test_it_is_the_innermost_one_of_the_user_s(log, tmp_path):
    code, work = tmp_path / "code", tmp_path / "work"
    assert log(trace((code / "train.py", 17))) == "train.py:17"
    assert log(trace((code / "train.py", 17), (code / "models" / "net.py", 3))) == "models/net.py:3"
    assert log(trace((code / "train.py", 17), (work / "helper.py", 4))) == "helper.py:4"
    for library in (
        work / ".venv" / "lib" / "python3.11" / "site-packages" / "torch" / "nn.py",
        work / "env" / "lib" / "python3.11" / "json" / "decoder.py",
        "/usr/lib/python3/dist-packages/numpy/linalg.py",
        "/elsewhere/thing.py",
        "<frozen runpy>",
        f"{hpo.__path__[0]}/reporting.py",
    ):
        assert log(trace((code / "train.py", 17), (library, 99))) == "train.py:17", library


def test_it_is_of_the_last_traceback_and_found_behind_a_hundred_frames_of_a_library(log, tmp_path):
    code = tmp_path / "code"
    deep = [("/usr/lib/python3/dist-packages/a.py", line) for line in range(300)]
    text = (
        trace((code / "train.py", 1))
        + "\nDuring handling of the above exception\n\n"
        + trace((code / "train.py", 2), *deep)
    )
    assert log(text + "a warning\n" * 100) == "train.py:2"


@pytest.mark.parametrize(
    "text", ["", "Killed\n", "no such file\n" * 50, 'File "train.py", line 3\n', trace(), "\x00\xff" * 99]
)
def test_without_a_traceback_of_the_user_s_code_there_is_no_line(log, text):
    assert log(text) is None


@pytest.mark.process
def test_a_real_syntax_error_and_a_real_exception_lead_to_their_lines(log, tmp_path):
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "wrong.py").write_text("x = 1\ny = (\n")
    (folder / "train.py").write_text(f"import json\n\n\ndef f():\n    json.loads({json.dumps('{')})\n\n\nf()\n")
    for file, line in (("wrong.py", 2), ("train.py", 5)):
        done = subprocess.run([sys.executable, str(folder / file)], capture_output=True, text=True, check=False)
        assert ("Traceback" in done.stderr) == (file == "train.py")
        assert log(done.stderr) == f"{file}:{line}"


def test_the_end_of_a_launched_program_is_its_own_error_with_its_own_line(tmp_path):
    code, log = tmp_path / "code", tmp_path / "stderr.log"
    log.write_text(trace((code / "train.py", 17)) + TORCHRUN + "exitcode  : -9 SIGKILL\n")
    seen = ending(
        trial_id=0, attempt=0, code=1, number=None, usage={}, error=None, stderr=log, kills_before=-1, own=[code],
        directory=tmp_path,
    )  # fmt: skip
    assert (seen.where, str(seen.error).splitlines()[-1]) == ("train.py:17", "ValueError: bad")
    assert seen.out_of_memory, "the launcher's last words count for that"


@pytest.mark.parametrize("code", [0, 1])
def test_an_attempt_whose_folder_was_deleted_is_lost_and_that_is_said_with_the_folder(tmp_path, caplog, code):
    folder = tmp_path / "trials/4/attempt_0"
    seen = ending(
        trial_id=4, attempt=0, code=code, number=None, usage={}, error=None, stderr=folder / "stderr.log", kills_before=-1,
        own=[], directory=tmp_path,
    )  # fmt: skip
    assert seen.lost
    assert seen.error == f"its folder {folder} was deleted while it ran"
    (said,) = caplog.messages
    assert said.startswith(f"trial 4: its folder {folder} was deleted")


@pytest.mark.parametrize(
    ("stderr", "stdout", "log"), [("x", "y", "stderr.log"), ("", "y", "stdout.log"), ("", "", None)]
)
def test_the_log_to_look_at_is_one_with_something_in_it(tmp_path, stderr, stdout, log):
    (tmp_path / "stderr.log").write_text(stderr)
    (tmp_path / "stdout.log").write_text(stdout)
    seen = ending(
        trial_id=0, attempt=0, code=1, number=None, usage={}, error=None, stderr=tmp_path / "stderr.log", kills_before=-1,
        own=[], directory=tmp_path,
    )  # fmt: skip
    assert seen.log == (None if log is None else tmp_path / log)


TRACE = """Traceback (most recent call last):
  File "/work/train.py", line 7, in <module>
    main()
ValueError: boom
"""
TORCHRUN = """E1202 23:47:24.768000 9947 torch/distributed/elastic/multiprocessing/api.py:1002] failed (exitcode: 1)
Traceback (most recent call last):
  File "/env/bin/torchrun", line 8, in <module>
    sys.exit(main())
  File "/env/lib/python3.11/site-packages/torch/distributed/run.py", line 1028, in main
    run(args)
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
train.py FAILED
------------------------------------------------------------
Failures:
[1]:
  time      : 2026-12-02_23:47:24
  rank      : 0 (local_rank: 0)
  exitcode  : 1 (pid: 9953)
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : 2026-12-02_23:47:24
  rank      : 1 (local_rank: 1)
  exitcode  : 1 (pid: 9954)
  traceback : To enable traceback see: https://pytorch.org/docs/stable/elastic/errors.html
============================================================
"""
ACCELERATE = """Traceback (most recent call last):
  File "/env/bin/accelerate", line 8, in <module>
    sys.exit(main())
  File "/env/lib/python3.11/site-packages/accelerate/commands/launch.py", line 703, in simple_launcher
    raise subprocess.CalledProcessError(returncode=process.returncode, cmd=cmd)
subprocess.CalledProcessError: Command '['python', 'train.py']' returned non-zero exit status 1.
"""
MPIRUN = """--------------------------------------------------------------------------
Primary job  terminated normally, but 1 process returned
a non-zero exit code. Per user-direction, the job has been aborted.
--------------------------------------------------------------------------
--------------------------------------------------------------------------
mpirun detected that one or more processes exited with non-zero status, thus causing
the job to be terminated. The first process to do so was:

  Process name: [[5331,1],1]
  Exit code:    1
--------------------------------------------------------------------------
"""
DEEPSPEED = """[2026-12-02 10:00:00,123] [INFO] [launch.py:319:sigkill_handler] Killing subprocess 71
[2026-12-02 10:00:00,124] [ERROR] [launch.py:325:sigkill_handler] ['/usr/bin/python', 'train.py'] exits with return code = 1
"""


def marked(text, rank):
    return "".join(f"[rank{rank}]: {line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    "around",
    [TORCHRUN, ACCELERATE, MPIRUN, DEEPSPEED, "srun: error: node1: task 1: Exited with exit code 1\n",
     "make: *** [Makefile:3: train] Error 1\n"],
    ids=["torchrun", "accelerate", "mpirun", "deepspeed", "srun", "make"],
)  # fmt: skip
def test_what_a_launcher_says_at_the_end_is_left_out_also_behind_a_program_without_a_traceback(around):
    assert without_launcher(TRACE + around) == TRACE.rstrip()
    assert without_launcher("no file data.csv\n" + around) == "no file data.csv"
    assert without_launcher(around) == around, "better than nothing"


def test_of_several_processes_it_is_the_one_that_failed_first_in_lines_without_its_mark():
    consequence = TRACE.replace("ValueError: boom", "RuntimeError: Connection closed by peer")
    log = marked(TRACE, 1) + "terminate called\n" + marked(consequence, 0) + TORCHRUN
    assert without_launcher(log) == TRACE.rstrip()


def test_an_app_of_hydra_ends_with_its_own_error_not_with_hydras_advice():
    advice = "Set the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace."
    log = f"Error executing job with overrides: []\n{TRACE}\n{advice}\n"
    assert without_launcher(log).splitlines()[-1] == "ValueError: boom"


def test_a_log_into_which_no_launcher_has_written_stays_as_it_is():
    own = TRACE.replace("ValueError: boom", "subprocess.CalledProcessError: Command 'wget' returned 8.")
    for log in ("", "Killed\n", TRACE, TRACE + "a word after it\n", own, "-" * 74 + "\nmy table\n", "[1] 3 4\n"):
        assert without_launcher(log) == log


@pytest.mark.slow
@pytest.mark.process
def test_a_real_torchrun_ends_with_the_error_of_its_script(tmp_path):
    pytest.importorskip("torch")
    script = tmp_path / "ddp.py"
    script.write_text(
        "import os, time\nif os.environ['RANK'] == '1':\n    raise RuntimeError('boom')\ntime.sleep(60)\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert without_launcher(done.stderr).splitlines()[-1] == "RuntimeError: boom"
