"""Calls of Slurm's commands, and the translation of their errors into one sentence that names the key to change."""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hpo.errors import BackendError, ConfigError, HPOError

_TIMEOUT = 60  # a controller under load answers late


@dataclass(frozen=True, slots=True)
class Answer:
    """Slurm's description of a job."""

    state: str
    reason: str = ""
    nodes: str = ""
    name: str = ""


class TooLargeError(ConfigError):
    """The error that no node has the resources that a job requests."""


def call(program: str, *arguments: str, group: str = "launcher") -> "subprocess.CompletedProcess[str]":
    """Run one of Slurm's commands and return its result, also when it fails.

    Args:
        program: Name of the command.
        *arguments: Arguments of the command.
        group: Group of the configuration that an error names.

    Raises:
        BackendError: The command is not installed, or does not return.
    """
    path = shutil.which(program)
    if path is None:
        raise BackendError(
            f"{group}=slurm: {program} not found; run this on a machine of the cluster that has Slurm's commands, such as "
            f"its login node{', or look with launcher.dry_run=true' if group == 'launcher' else ''}"
        )
    try:
        return subprocess.run(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendError(f"{group}=slurm: {program} does not answer ({error}); try again later") from error


def queued_as(job: str) -> Answer | None:
    """Return squeue's description of a job; None when the controller has forgotten the job.

    Raises:
        BackendError: The controller does not answer.
    """
    done = call("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T|%r|%N|%j")
    if done.returncode == 0:
        line = done.stdout.strip().partition("\n")[0]
        return Answer(*line.split("|", 3)) if line else None
    if "Invalid job id" in done.stderr:
        return None
    raise BackendError(f"launcher=slurm: squeue failed ({_first(done.stderr)}); try again later")


def accounted_as(job: str) -> Answer | None:
    """Return the description of a job from Slurm's accounting; None if there is no accounting."""
    if shutil.which("sacct") is None:
        return None
    done = call("sacct", "--allocations", "--noheader", "--parsable2", f"--jobs={job}", "--format=State,JobName")
    line = done.stdout.strip().rpartition("\n")[2]
    if done.returncode != 0 or "|" not in line:
        return None
    state, _, name = line.partition("|")
    return Answer(state.split()[0] if state else "", name=name)  # "CANCELLED by 1000"


OWN_KEYS = {
    "partition": "partition",
    "nodes": "nodes",
    "cpus-per-task": "cpus_per_task",
    "time": "timeout_min",
    "mem": "mem",
}
"""Options of sbatch that have their own key under `launcher`."""


def sbatch_error_as_sentence(
    message: str, options: Mapping[str, Any], group: str = "launcher", own: Mapping[str, str] = OWN_KEYS
) -> HPOError:
    """Return an error that says why sbatch rejected a request, and what to do.

    Args:
        message: Error output of sbatch.
        options: Options that sbatch was given.
        group: Group of the configuration that the keys belong to.
        own: Keys of that group, by the option that they stand for.
    """
    text = " ".join(message.split())

    def key(option: str) -> str:
        if option == "gres" and group == "launcher":
            return "launcher.gpus"
        return f"{group}.{own.get(option) or f'sbatch.{option}'}"

    if re.search("nvalid partition", text):
        return ConfigError(
            f"{group}.partition={options.get('partition')}: Slurm has no such partition; choose from "
            f"{', '.join(sorted(sinfo('%R'))) or 'those that sinfo lists'}"
        )
    if found := re.search(r"unrecognized option '--([\w-]+)", text):
        return ConfigError(f"{group}.sbatch.{found[1]}: sbatch has no such option; `sbatch --help` lists them")
    if "node configuration is not available" in text or "can not be satisfied" in text:
        return TooLargeError(
            f"{', '.join(_sizes(text, options, key))}: no node has so much; ask for less, the largest nodes have {_nodes()}"
        )
    if found := re.search(r"(?:for|Invalid) --([\w-]+)", text):
        return ConfigError(f"{key(found[1])}={options.get(found[1])}: sbatch cannot read this value ({_first(text)})")
    for word, names in _CAUSES.items():
        if word in text and (name := next((name for name in names if name in options), None)):
            return ConfigError(f"{key(name)}={options[name]}: sbatch rejected it ({_first(message)}); correct it")
    return BackendError(f"{group}=slurm: sbatch rejected the job ({_first(message)}); check the keys under {group}")


_CAUSES = {
    "generic resource": ("gres",),
    "feature": ("constraint",),
    "node name": ("nodelist", "exclude"),
    "account": ("account", "qos", "partition"),
    "qos": ("qos",),
    "QOS": ("qos",),
    "time limit": ("time",),
    "eservation": ("reservation",),
    "ependency": ("dependency",),
}
"""Words of Slurm's messages, and the options that may have caused them, the likeliest first."""


def _sizes(text: str, options: Mapping[str, Any], key: Callable[[str], str]) -> list[str]:
    blamed = [name for name, word in (("cpus-per-task", "CPU count"), ("mem", "Memory")) if word in text]
    return [f"{key(name)}={options[name]}" for name in blamed or ("cpus-per-task", "gres", "mem") if name in options]


def _nodes() -> str:
    sizes = sorted(sinfo("%c CPUs, %m MB, %G"), key=lambda text: [int(n) for n in re.findall(r"\d+", text)])
    return sizes[-1] if sizes else "what sinfo lists"


def sinfo(form: str, *options: str) -> set[str]:
    """Return the lines that sinfo prints about the cluster in a format; empty if Slurm does not answer."""
    try:
        done = call("sinfo", "--noheader", "--exact", f"--format={form}", *options)
        return set(filter(None, done.stdout.splitlines()))
    except HPOError:
        return set()


def _first(text: str) -> str:
    """Return the last cause in a command's error output, without the command's name."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("Try ")]
    return re.sub(r"^(\w+: )?(error: )?", "", lines[-1]) if lines else "it says nothing"
