"""The error of a program, found in what launchers print around it."""

import subprocess
import sys

import pytest

from hpo.backends.launcher_output import without_launcher

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
