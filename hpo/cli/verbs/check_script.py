"""`hpo check-script`: is a training script fit for tuning?"""

from typing import Annotated

import typer

from hpo.cli.verbs.app import ConfigDirs, Overrides, app, as_arguments


@app.command("check-script")
def check_script(
    overrides: Overrides = None,
    config_dir: ConfigDirs = None,
    units: Annotated[int | None, typer.Option(help="Of resource, for each training; chosen unless given.")] = None,
    tolerance: Annotated[float, typer.Option(help="Relative difference of metrics that is none.")] = 0.0,
    timeout: Annotated[float, typer.Option(help="Seconds without a report.")] = 600.0,
    hyperparameters: Annotated[
        bool, typer.Option("--hyperparameters", help="Also find those that do nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results for programs.")] = False,
) -> None:
    """Run a benchmark's script for a few units of resource and check that it reports, ends, saves and resumes."""
    import json
    from dataclasses import asdict

    from hpo.checking.check import check_script as check
    from hpo.checking.check import script_of
    from hpo.cli.run import compose_jobs

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
        typer.echo(json.dumps([asdict(finding) for finding in findings.found], indent=1))
    else:
        for finding in findings.found:
            typer.echo(f"{finding.check:<15}  {finding.verdict:<11}  {finding.text}")
    if findings.failed:
        raise typer.Exit(1)
