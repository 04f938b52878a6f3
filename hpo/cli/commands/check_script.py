"""`hpo check-script`: whether a training script is fit for tuning."""

from typing import Annotated

import click

from hpo.cli.commands.app import ConfigDirs, Option, Overrides, as_arguments, say, verb


@verb("check-script")
def check_script(
    overrides: Overrides = (),
    config_dir: ConfigDirs = (),
    units: Annotated[int | None, Option("Units of resource for each training; chosen if not given.")] = None,
    tolerance: Annotated[float, Option("Largest relative difference between metrics that count as equal.")] = 0.0,
    timeout: Annotated[float, Option("Longest time without a report, in seconds.")] = 600.0,
    hyperparameters: Annotated[
        bool, Option("Also find hyperparameters without effect.", ["--hyperparameters"])
    ] = False,
    as_json: Annotated[bool, Option("Print the results as JSON.", ["--json"])] = False,
) -> None:
    """Run a benchmark's script for a few units of resource and check that it reports, ends, saves and resumes.

    If nothing is wrong, the last line is a command that tunes the script with the recommended method.
    """
    import json
    import shlex
    from dataclasses import asdict

    from hpo.checking.check import check_script as check
    from hpo.checking.check import script_of
    from hpo.cli.run import compose_jobs
    from hpo.config.default_method import recommended_method

    config, promoting = script_of([job.config for job in compose_jobs(as_arguments(overrides, config_dir))])
    findings = check(
        config,
        promoting,
        units=units,
        tolerance=tolerance,
        silence=timeout,
        hyperparameters=hyperparameters,
    )
    if as_json:
        say(json.dumps([asdict(finding) for finding in findings.found], indent=1))
    else:
        for finding in findings.found:
            say(f"{finding.check:<15}  {finding.verdict:<11}  {finding.text}")
        if not findings.failed:
            method = recommended_method(
                several=bool(config.benchmark.objectives),
                resource=config.max_resource is not None,
                checkpoints=findings.of("checkpoint") is None,
            )
            folders = "".join(f"--config-dir {shlex.quote(folder)} " for folder in config_dir)
            chosen = [word for word in overrides if word.startswith("benchmark=")]
            say(f"then: hpo {folders}{shlex.join([*chosen, f'method={method}'])}")
    if findings.failed:
        raise click.exceptions.Exit(1)
