"""`hpo status` and `hpo replay`: the state of experiments, and whether their decisions can be computed again."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import click

from hpo.cli.commands.app import Option, Place, Trusted, Word, say, verb
from hpo.errors import HPOError, StoreError
from hpo.events.text import (
    best_name,
    best_text,
    clock,
    code_changes_of,
    code_versions_text,
    counts_text,
    printable,
    shortened,
    steering_text,
)
from hpo.history.conditions import condition_of_experiment
from hpo.launchers.remote import launcher_of, read_record
from hpo.results.confirmed import confirmed_text
from hpo.results.experiment import Experiment, load_experiment
from hpo.results.failure import failure_of
from hpo.results.hypervolume import hypervolume_text
from hpo.results.rows import log_of, reason_of
from hpo.store.directory import ExperimentDirectory
from hpo.store.experiment_paths import find_experiments, find_launched, from_here
from hpo.watching.status import last_failure, standing, tags

_CHANGES = 3
"""Largest number of changes of the code that are listed one by one."""


@verb()
def status(
    place: Annotated[
        str | None,
        Word("DIR|TAG", "Experiments to show; all tags in outputs/ if not given."),
    ] = None,
    trust: Trusted = (),
    as_json: Annotated[bool, Option("Print it as JSON.", ["--json"])] = False,
) -> None:
    """Show each experiment's state, its trials and its best result so far; for a remote one also the state of its job."""
    if place is None:
        _show_tags(as_json)
        return
    launched = find_launched(place)
    jobs = {directory: _job(directory, trust) for directory in launched}
    # Launched experiments only if their events are here: fetched, or in a shared directory.
    local = [directory for directory in launched if ExperimentDirectory(directory).events.is_file()]
    experiments = (load_experiment(directory) for directory in (local if launched else find_experiments(place)))
    if as_json:
        told: dict[str, dict[str, Any]] = {
            str(directory): {"directory": str(directory), "state": "waiting", "job": job}
            for directory, job in jobs.items()
        }
        for experiment in experiments:
            told[str(experiment.directory)] = {**standing(experiment), "job": jobs.get(experiment.directory)}
        say(json.dumps(list(told.values()), indent=1))
        return
    for directory, job in jobs.items():
        say(f"{directory}: job {job['name']} {job['phase']} {job['detail']}".rstrip())
    for experiment in experiments:
        _show(experiment)


def _job(directory: Path, trusted: Sequence[str]) -> dict[str, Any]:
    try:
        content = read_record(directory)
        state = launcher_of(content, trusted).state(content["record"])
    except HPOError as error:
        raise StoreError(f"{directory}: {error}") from error
    return {"name": content["record"].get("job"), "phase": str(state.phase), "detail": state.detail}


def _show(experiment: Experiment) -> None:
    state = experiment.state
    condition = f"{state.status} ({state.finished})" if state.finished else _condition(experiment)
    say(f"{experiment.directory}: {condition}")
    say(f"  {clock(state.elapsed)}, {counts_text(state)}")
    say(f"  {best_name(state)} {best_text(state)}{hypervolume_text(experiment.config, state.front)}")
    if text := confirmed_text(ExperimentDirectory(experiment.directory), state):
        say(f"  {text}")
    if text := steering_text(state):
        say(f"  {printable(text)}")
    if state.steering.held is not None and not state.finished:
        go_on = f"hpo steer {experiment.directory} go-on"
        say(printable(f"  held by {state.steering.held}: nothing starts until {go_on}"))
    if len(state.nodes) > 1:
        at_work = Counter(trial.node for trial in state.running.values())
        named = [f"{node} ({count} attempts, {at_work[node]} running)" for node, count in state.nodes.most_common()]
        say(printable(f"  on {len(named)} nodes: {shortened(named, 8)}"))
    changes = code_changes_of(state)
    if len(changes) > _CHANGES:
        say(f"  the code changed {len(changes)} times; the last ones:")
    for _, when, names in changes[-_CHANGES:]:
        say(printable(f"  code {names} changed {when}: results of both are mixed"))
    if text := code_versions_text(state):
        say(f"  code {text}")
    if failure := failure_of(state, experiment.directory):
        say(f"  {failure}")
    if (end := last_failure(experiment)) is not None:
        log = log_of(experiment.directory, end)
        see = "" if log is None else f" (see {from_here(log)})"
        say(printable(f"  trial {end.trial} {end.body['status']}: {reason_of(end)}{see}"))


def _show_tags(as_json: bool) -> None:
    found = tags()
    if as_json:
        say(json.dumps(found, indent=1))
        return
    width = max(len(tag["tag"]) for tag in found)
    for tag in found:
        counts = tag["experiments"]
        errors = {"interrupted": f" ({tag['errors']} ended by an error)"} if tag["errors"] else {}
        states = ", ".join(f"{count} {state}{errors.get(state, '')}" for state, count in sorted(counts.items()))
        say(f"{tag['tag']:<{width}}  {sum(counts.values())} experiment(s): {states}")


def _condition(experiment: Experiment) -> str:
    condition = condition_of_experiment(experiment)
    if condition.error is not None:
        log = from_here(ExperimentDirectory(experiment.directory).log)
        return f"ended by an error: {condition.error}\n  the command that started it resumes it; its log is {log}"
    if condition.name == "interrupted":
        return "interrupted; the command that started it resumes it"
    return f"{condition.name} ({condition.detail})" if condition.detail else condition.name


@verb()
def replay(place: Place, trust: Trusted = ()) -> None:
    """Compute every logged decision again with a new scheduler, and compare."""
    from dataclasses import replace

    from hpo.events.state import ExperimentState
    from hpo.schedulers.construction import scheduler_of
    from hpo.schedulers.replay import other_versions, verify
    from hpo.warm_start.results import read_copy

    different = 0
    for directory in find_experiments(place):
        experiment = load_experiment(directory)
        count = [0]
        state = ExperimentState(experiment.config.objective)
        config = replace(experiment.config, trusted_modules=list(trust))  # ignore what the stored file trusts
        scheduler = scheduler_of(config, read_copy(config, directory))
        for library, (then, now) in other_versions(scheduler, experiment.events).items():
            say(
                f"{directory}: {library} {then} decided, and {now} is installed: decisions may differ; "
                f"pip install {library}=={then} restores the version that decided"
            )
        numbered = enumerate(experiment.events, 1)  # the log is append-only: its numbers have no gaps
        found = list(verify(scheduler, state, numbered, count))
        different += len(found)
        given = f", {many} command(s) applied as logged" if (many := state.steering.accepted) else ""
        say(f"{directory}: {count[0]} decisions, {len(found)} different{given}")
        for difference in found[:10]:
            say(f"  event {difference.sequence}: logged {difference.logged}, replayed {difference.replayed}")
    if different:
        raise click.exceptions.Exit(1)
