"""Names of SageMaker jobs and places on S3: always valid, always the same for the same experiment."""

import hashlib
import json
import re
from dataclasses import asdict

from hpo.backends.jobs.object_names import LONGEST_JOB_NAME, hash4, part, slug
from hpo.config.schema import FORMER_TARGETS, RUN_KEYS, BenchmarkConfig, ExperimentConfig
from hpo.errors import ConfigError

LONGEST_SEED = 20

LATER = (
    "argument_style",
    "config_file",
    "constraints",
    "cost_attr",
    "first_resource",
    "function",
    "objectives",
    "patterns",
    "processes_per_trial",
    "reference_point",
    "report_path",
    "working_directory",
)
"""Keys of a benchmark that version 0.1 did not have: they count only if they are given, so that its jobs are recognised."""


LATER_OF_ALL = (
    "device_price",
    "max_cost",
    "max_device_hours",
    "max_price",
    "paired_training_seeds",
    "stop_when",
    "warm_start",
    "warm_start_use",
    "warm_start_sha256",
)
"""Keys of an experiment that version 0.1 did not have; see `LATER`."""


_FORMER_NAMES = {present: former for former, present in FORMER_TARGETS.items()}
"""Names of backend classes in jobs that were sent before they moved."""


def identity(experiment: ExperimentConfig) -> str:
    """Return 32 hexadecimal digits that identify a resolved experiment and its tag.

    Two calls that differ only in options of the call (waiting, dry runs, the machine) are the same job. A larger
    budget makes another job, which resumes from the results of the first.
    """
    content = asdict(experiment)
    for key in RUN_KEYS:
        content.pop(key, None)
        content["benchmark"].pop(key, None)
    unset = BenchmarkConfig()
    for key in LATER:
        if content["benchmark"][key] == getattr(unset, key):
            del content["benchmark"][key]
    nothing = ExperimentConfig(experiment_tag="")
    for key in LATER_OF_ALL:
        if content[key] == getattr(nothing, key):
            del content[key]
    if experiment.backend_target == experiment.backend_of_name:  # in jobs of version 0.1 it has its short name
        content["backend"].pop("_target_", None)
    elif (former := _FORMER_NAMES.get(experiment.backend_target)) is not None:
        content["backend"]["_target_"] = former
    content["overwrite"] = experiment.overwrite
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def job_name(experiment: ExperimentConfig, attempt: int = 0) -> str:
    """Return `{tag}-{method}-{seed}-{hash4}`, with the benchmark in front if the user wants that and it fits.

    A longer name is shortened in the tag and the method, never in seed and hash. If a job that failed or was stopped has the
    name, `-r1`, `-r2` and so on is appended.
    """
    if len(str(experiment.seed)) > LONGEST_SEED:
        raise ConfigError(
            f"seed={experiment.seed}: use a number of at most {LONGEST_SEED} digits (it is part of job names)"
        )
    tail = f"-{experiment.seed}-{hash4(identity(experiment))}" + (f"-r{attempt}" if attempt else "")
    room = LONGEST_JOB_NAME - len(tail)
    tag, method = slug(experiment.experiment_tag), slug(experiment.method.name)
    long = f"{slug(experiment.benchmark.name)}-{tag}-{method}"
    if experiment.use_long_tuner_name_prefix and len(long) <= room:
        return long + tail
    method = method[: max(room // 2, room - 1 - len(tag))].rstrip("-")
    tag = tag[: room - 1 - len(method)].rstrip("-")
    return f"{tag}-{method}{tail}"


def results_prefix(experiment: ExperimentConfig, prefix: str) -> str:
    """Return the key below which an experiment's directory is stored, without a slash at the end."""
    run = f"{part(experiment.method.name)}-{experiment.seed}"
    return "/".join([prefix, part(experiment.experiment_tag), run, part(experiment.benchmark.name)])


def tag_value(text: str) -> str:
    """Return a text as the value of an AWS tag."""
    return re.sub(r"[^\w .:/=+\-@]", "_", text)[:256]
