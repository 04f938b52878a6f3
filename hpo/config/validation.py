"""Checks of a resolved configuration: its values, and keys that must agree with each other."""

import math
import re
from collections.abc import Mapping

from hpo.config.choices import ArgumentStyle, ReportChannel, WarmStartUse, WorkingDirectory
from hpo.config.objectives import both_given, check_reference
from hpo.config.schema import BenchmarkConfig, ExperimentConfig
from hpo.config.stop_when import parse_stop_when
from hpo.errors import ConfigError

TAG = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")


LONGEST_NAME = 200
"""Longest name of a tag, benchmark or method, which becomes a directory name; file systems allow 255 bytes."""


_POSITIVE, _NOT_NEGATIVE = "a positive number", "zero or a positive number"
_NUMBERS = {
    "n_workers": (1, _POSITIVE),
    "max_num_trials": (1, _POSITIVE),
    "max_num_evaluations": (1, _POSITIVE),
    "max_failures": (1, _POSITIVE),
    "max_cost": (1e-9, _POSITIVE),
    "max_device_hours": (1e-9, _POSITIVE),
    "max_price": (1e-9, _POSITIVE),
    "device_price": (1e-9, _POSITIVE),
    "max_wallclock_time": (1e-3, _POSITIVE),
    "trial_timeout": (1e-3, _POSITIVE),
    "trial_silence_timeout": (1e-3, _POSITIVE),
    "max_size_data_for_model": (1e-3, _POSITIVE),
    "seed": (0, _NOT_NEGATIVE),
    "num_gpus_per_trial": (0, _NOT_NEGATIVE),
    "grace_period_seconds": (0, _NOT_NEGATIVE),
    "max_log_megabytes": (0.01, "a number of at least 0.01"),
    "max_checkpoint_gigabytes": (1e-3, _POSITIVE),
    "target_value": (float("-inf"), "a number"),
    "random_seed": (0, _NOT_NEGATIVE),
}
"""The smallest allowed value of each numeric key, and what to use instead of a smaller one."""


def check(config: ExperimentConfig) -> None:
    """Raise ConfigError for the first value that cannot be used; the message names key, value and remedy."""
    if not TAG.fullmatch(config.experiment_tag):
        raise ConfigError(wrong_tag(config.experiment_tag))
    check_names(config, LONGEST_NAME)
    for key, (least, wanted) in _NUMBERS.items():
        value = getattr(config, key)
        if value is not None and not value >= least:
            raise ConfigError(f"{key}={value}: use {wanted}")
    if config.warm_start_use != WarmStartUse.points and not config.warm_start:
        use = config.warm_start_use.value
        raise ConfigError(f"warm_start_use={use}: there are no data without warm_start; name earlier experiments there")
    if doubled := [source for source in config.warm_start if not source or config.warm_start.count(source) > 1]:
        raise ConfigError(f"warm_start={doubled[0]}: name each earlier experiment or tag once")
    benchmark = config.benchmark
    programs = [p for p in (benchmark.script, benchmark.command, benchmark.function) if p is not None]
    if len(programs) > 1 or not (programs or benchmark.table):
        raise ConfigError(
            "benchmark.script, .command and .function: give one of them, the training program (or a table)"
        )
    check_preload(benchmark.preload)
    space = config.space
    if odd := [point for point in benchmark.points_to_evaluate or () if not isinstance(point, Mapping)]:
        raise ConfigError(f"benchmark.points_to_evaluate: {odd[0]!r} is not a configuration; use {{name: value, ...}}")
    if clashes := sorted(set(benchmark.arguments) & set(space.domains)):
        raise ConfigError(f"benchmark.arguments.{clashes[0]}: it is also tuned in config_space; remove one of the two")
    _check_writing(benchmark)
    _check_reading(benchmark)
    if missing := [name for name in benchmark.arguments_of_the_machine if name not in benchmark.arguments]:
        raise ConfigError(
            f"benchmark.arguments_of_the_machine: {missing[0]!r} is not among benchmark.arguments; give its value there, or "
            "remove it here"
        )
    _ = config.max_resource
    _check_test_metric(benchmark)
    _check_objective(config)
    _check_apart(config)


def _check_objective(config: ExperimentConfig) -> None:
    """Raise ConfigError unless metric, objectives, constraints, budget and report patterns agree."""
    benchmark, objective = config.benchmark, config.objective
    if objective.aims and (benchmark.metric, benchmark.mode.value) != (
        objective.aims[0].metric,
        objective.aims[0].mode,
    ):
        raise both_given("metric", benchmark.metric)
    check_reference(benchmark.reference_point, benchmark.objectives)
    if objective.aims and config.target_value is not None:
        raise ConfigError(
            f"target_value={config.target_value:g}: with benchmark.objectives no one value ends an experiment; remove it, "
            "and give max_wallclock_time or max_num_trials"
        )
    if parse_stop_when(config.stop_when) is not None and objective.aims:
        raise ConfigError(
            "stop_when: with benchmark.objectives no one value tells whether a search improves; remove it"
        )
    if config.max_cost is not None and benchmark.cost_attr is None:
        raise ConfigError(
            f"max_cost={config.max_cost:g}: nothing says what trials cost; name the metric that does in benchmark.cost_attr, "
            "or remove max_cost"
        )
    if config.max_price is not None and config.device_price is None:
        raise ConfigError(
            f"max_price={config.max_price:g}: nothing says what a device costs; give the price of one for an hour in "
            "device_price, or limit max_device_hours"
        )
    tests = {f"benchmark.test_metric={name}": name for name in objective.test_metrics}
    for key, metric in {**objective.judged, **tests}.items():
        if benchmark.patterns and metric not in benchmark.patterns:
            raise ConfigError(
                f"benchmark.patterns: there is none for {key}, only for {', '.join(benchmark.patterns)}; add {metric}: "
                f"'{metric}=(\\S+)', say"
            )


def _check_test_metric(benchmark: BenchmarkConfig) -> None:
    """Raise ConfigError unless `benchmark.test_metric` is null, a name, or a list of names (the schema has no such type)."""
    written = benchmark.test_metric
    names = [written] if isinstance(written, str) else written
    if written is not None and not (isinstance(names, list) and all(isinstance(name, str) and name for name in names)):
        raise ConfigError(f"benchmark.test_metric={str(written)[:200]}: use the name of a metric, or a list of names")
    if names and (doubled := [name for name in names if names.count(name) > 1]):
        raise ConfigError(f"benchmark.test_metric: {doubled[0]!r} is there twice; name each metric once")


def _check_apart(config: ExperimentConfig) -> None:
    """Raise ConfigError if something is decided by a test metric."""
    benchmark, objective = config.benchmark, config.objective
    decided = {
        **({"benchmark.resource_attr": benchmark.resource_attr} if benchmark.resource_attr else {}),
        **objective.judged,
        **({} if objective.aims else {"benchmark.metric": benchmark.metric}),
    }
    for key, metric in decided.items():
        if metric in objective.test_metrics:
            raise ConfigError(
                f"benchmark.test_metric={metric}: nothing may be decided by a test metric, and this one is "
                f"{key.partition('=')[0]} as well; name another one"
            )


def check_preload(value: object) -> None:
    """Raise ConfigError unless `benchmark.preload` is `auto`, a list of modules, or null (the schema has no such type)."""
    names = isinstance(value, list) and all(isinstance(name, str) for name in value)
    if not names and value not in (None, "auto"):
        raise ConfigError(
            f"benchmark.preload={str(value)[:200]}: use auto, a list of modules, or null, which gives each trial a fresh "
            f"interpreter"
        )


def _check_writing(benchmark: BenchmarkConfig) -> None:
    """Check the keys that determine how a program gets its arguments."""
    by_file = benchmark.argument_style == ArgumentStyle.file
    if by_file != (benchmark.config_file is not None):
        raise ConfigError(
            "benchmark.argument_style=file and benchmark.config_file belong together: name the file that trials get copies of"
        )
    if benchmark.arguments_as_json is not False and benchmark.argument_style != ArgumentStyle.flags:
        raise ConfigError(
            f"benchmark.arguments_as_json={benchmark.arguments_as_json}: it is a style of its own; remove "
            f"benchmark.argument_style={benchmark.argument_style.value}"
        )


def _check_reading(benchmark: BenchmarkConfig) -> None:
    """Check the keys that determine how a program's results are read: patterns, paths, one file per trial."""
    channel = benchmark.report_channel
    if benchmark.searched != bool(benchmark.patterns):
        raise ConfigError(
            f"benchmark.report_channel={channel.value}: benchmark.patterns belong to stdout and stderr: a regular "
            f"expression for the metric, such as {benchmark.metric}: '{benchmark.metric}=(\\S+)', and one for the resource"
        )
    if (channel in (ReportChannel.csv, ReportChannel.jsonl)) != (benchmark.report_path is not None):
        raise ConfigError(
            f"benchmark.report_channel={channel.value}: benchmark.report_path belongs to csv and jsonl, and names the file "
            "that the program appends to"
        )
    if benchmark.first_resource not in (0, 1) or (benchmark.first_resource == 0 and not benchmark.foreign):
        raise ConfigError(
            f"benchmark.first_resource={benchmark.first_resource}: use 1, or 0 for a program that counts from 0 and whose "
            "results are read by report_channel=stdout, stderr, csv or jsonl"
        )
    for name, pattern in benchmark.patterns.items():
        _check_pattern(f"benchmark.patterns.{name}={pattern}", pattern)
    if benchmark.patterns and benchmark.metric not in benchmark.patterns:
        raise ConfigError(
            f"benchmark.patterns: there is none for benchmark.metric={benchmark.metric}, only for "
            f"{', '.join(benchmark.patterns)}; add {benchmark.metric}: '{benchmark.metric}=(\\S+)', say"
        )
    path = benchmark.report_path
    apart = benchmark.working_directory == WorkingDirectory.trial and not (path or "").startswith("/")
    if path is not None and not apart and not any(place in path for place in _PLACES_OF_A_TRIAL):
        raise ConfigError(
            f"benchmark.report_path={path}: all trials would write to the same file; set benchmark.working_directory=trial "
            f"for a relative path, or have the program write where {' or '.join(_PLACES_OF_A_TRIAL)} is part of the path"
        )


_PLACES_OF_A_TRIAL = ("{checkpoint_dir}", "{trial_id}")


def _check_pattern(key: str, pattern: str) -> None:
    try:
        groups = re.compile(pattern).groups
    except (re.error, RecursionError, OverflowError) as error:
        raise ConfigError(f"{key}: it is not a regular expression ({error}); correct it") from error
    if groups == 0:
        raise ConfigError(f"{key}: put parentheses around the part that is the number, such as (\\S+)")


def wrong_tag(tag: str) -> str:
    """Return the error message about a text that cannot be a tag."""
    suggestion = re.sub(r"[^a-zA-Z0-9]+", "-", tag).strip("-") or "my-experiment"
    return (
        f"experiment_tag={tag!r}: use the letters a-z and A-Z, digits, and single words joined by '-' (it becomes part of "
        f"remote job names), for example {suggestion!r}"
    )


def check_names(config: ExperimentConfig, longest: float = math.inf) -> None:
    """Raise ConfigError unless tag, benchmark and method are valid directory names, not longer than `longest`."""
    for key, name in (
        ("benchmark.name", config.benchmark.name),
        ("method.name", config.method.name),
        ("experiment_tag", config.experiment_tag),
    ):
        if len(name) > longest:
            raise ConfigError(
                f"{key}={name[:20]}...: it has {len(name)} characters and becomes the name of a directory; use at most "
                f"{longest}"
            )
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise ConfigError(f"{key}={name!r}: it becomes the name of a directory; use a name without '/'")
