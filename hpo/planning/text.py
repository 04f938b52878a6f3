"""A plan as text for people and as plain values for programs."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from hpo.config.stop_when import parse_stop_when
from hpo.events.device_time import device_use_text
from hpo.events.text import clock
from hpo.history.device_use import limits_devices
from hpo.planning.plan import Group, Plan
from hpo.planning.plan_warnings import advice

_MOST_NAMES = 3


def text(plan: Plan) -> str:
    """Return a plan as text, with errors and warnings at the end."""
    lines = [*(line for group in plan.groups for line in _group(group, plan)), *_total(plan)]
    errors = [f"{group.name}: {group.problem}" for group in plan.groups if group.problem]
    for title, sentences in (("errors", errors), ("warnings", advice(plan))):
        lines += ["", title, *(f"  {sentence}" for sentence in sentences)] if sentences else []
    return "\n".join(lines)


def _group(group: Group, plan: Plan) -> Iterator[str]:
    config = group.config
    seeds = [place.config.seed for place in group.places]
    standings = ", ".join(f"{count} {standing}" for standing, count in group.standings.items())
    launcher = str(config.launcher.get("_target_")).rpartition(".")[2].removesuffix("Launcher").lower()
    yield (
        f"{group.name}: {_plural(len(seeds), 'experiment')} (seed {_numbers(seeds)}), "
        f"{'simulated' if config.simulated else launcher}, {standings}"
    )
    if group.problem:
        return
    if aims := group.config.objective.aims:
        yield f"  front     of {', '.join(f'{aim.metric} ({aim.mode})' for aim in aims)}"
    yield f"  workers   {_workers(group)}"
    if group.elsewhere is not None:
        yield f"  trials on {group.elsewhere}"
    budgets = [f"{key}={value:g}" for key, value in config.budget.items() if value is not None]
    if (rule := parse_stop_when(config.stop_when)) is not None:
        budgets += [f"stop_when.{key}={value:g}" for key, value in asdict(rule).items()]
    yield f"  budget    {', '.join(budgets) or 'none'}"
    if (smoke := group.smoke) is not None:
        memory = f", {smoke.peak_memory_mb:.0f} MB of memory" if smoke.peak_memory_mb is not None else ""
        yield (
            f"  smoke     {_plural(smoke.units, 'report')} in {smoke.seconds:.2f} s ({smoke.per_unit:.3g} s per "
            f"{_unit(group)}, {smoke.start_up:.2g} s to start){memory}, checkpoint {_bytes(smoke.checkpoint_bytes)}, "
            f"reports {', '.join(smoke.keys)}"
        )
    yield from _expectation(group, plan)
    kind = "at most" if group.expected_seconds is None else "about"
    if (each := group.seconds_each) is None:
        yield "  time      unknown: nothing limits it in time, and what a trial costs shows --smoke"
    else:
        yield f"  time      {'virtual, ' if config.simulated else ''}{_duration(each, f'{kind} ')} each"
    if (hours := group.device_hours_each) is not None and limits_devices(config):
        yield f"  devices   {kind} {device_use_text(hours, config.device_price)} each"
    if group.remote:
        yield from _jobs(group)
    if not config.simulated:
        yield f"  disk      {_disk(group)}"


def _duration(seconds: float, kind: str) -> str:
    """Format seconds after words such as `about `, which are left out below a second, as is the figure."""
    return "under a second" if seconds < 1 else f"{kind}{clock(seconds)}"


def _unit(group: Group) -> str:
    return group.config.benchmark.named_resource or "report"


def _workers(group: Group) -> str:
    config = group.config
    workers, per_trial = config.n_workers or 1, config.num_gpus_per_trial or 0
    if config.simulated:
        return f"{workers}, simulated"
    if not per_trial:
        return f"{workers}, without GPUs"
    if group.elsewhere is not None and not group.remote:
        return f"{workers} x {_plural(per_trial, 'GPU')} = {workers * per_trial}"
    there = "an unknown number" if group.gpus is None else str(group.gpus)
    return f"{workers} x {_plural(per_trial, 'GPU')} = {workers * per_trial}, of {there} there"


def _expectation(group: Group, plan: Plan) -> Iterator[str]:
    expected = group.expectation
    assert expected is not None
    if expected.assumed_trials is not None:
        head = f"unknown (--smoke measures what one takes); of {expected.assumed_trials} started"
    else:
        head = f"{'more than' if expected.cut else 'about'} {expected.trials:.0f} trials"
    simulated = f"the method itself, on {'random losses' if group.table is None else 'trainings of the table'}"
    if group.config.target_value is not None and group.table is None:
        head += " unless target_value is reached before"
    if group.config.stop_when is not None:
        head += " unless stop_when ends the search before"
    yield f"  trials    {head}; {simulated}" if group.rungs else f"  trials    {head}"
    if group.rungs:
        levels = [f"{level:,}" for level in expected.reached]
        counts = [_mean(count) for count in expected.reached.values()]
        waits = [clock(attempts * group.start_up) for attempts in _attempts(group)] if group.start_up else []
        costs = [f"{cost:,.2f}" for cost in plan.start_up_costs(group, _attempts(group))] if waits else []
        width = max(map(len, [*levels, *counts, *waits, *costs])) + 2
        yield f"  {_unit(group)[:9]:<9} " + "".join(level.rjust(width) for level in levels)
        yield f"  {'get there':<9} " + "".join(count.rjust(width) for count in counts)
        if waits:
            yield f"  {'start-up':<9} " + "".join(wait.rjust(width) for wait in waits)
        if costs and plan.prices is not None:
            yield f"  {f'in {plan.prices.currency}':<9} " + "".join(cost.rjust(width) for cost in costs)


def _attempts(group: Group) -> list[float]:
    """Return the number of attempts that begin towards each rung; all begin at the first if the method pauses no trial."""
    assert group.expectation is not None
    reached = list(group.expectation.reached.values())
    return reached if group.promotes else [group.expectation.trials, *(0.0 for _ in reached[1:])]


def _mean(count: float) -> str:
    return f"{count:,.0f}" if count >= 9.95 or count == round(count) else f"{count:.1f}"


def _jobs(group: Group) -> Iterator[str]:
    if not group.jobs:
        yield "  jobs      none: all are complete"
        return
    first, names = group.jobs[0], [job.name for job in group.jobs]
    shown = ", ".join(names[:_MOST_NAMES]) + (f", … {names[-1]}" if len(names) > _MOST_NAMES else "")
    yield f"  jobs      {len(names)} on {first.machine}, {first.hours:.2f} h each, ended after {first.limit_hours:.2f} h"
    yield f"            {shown}"


def _disk(group: Group) -> str:
    each = group.disk_each
    if group.smoke is None or each is None:
        return "unknown (--smoke measures a checkpoint)"
    if group.expectation is not None and group.expectation.assumed_trials is not None:
        return f"{_bytes(group.smoke.checkpoint_bytes)} per trial"
    least = "at most " if group.config.delete_checkpoints else "about "
    return f"{least}{_bytes(each)} each, {_bytes(each * len(group.to_do))} for all"


def _total(plan: Plan) -> Iterator[str]:
    to_do = [group for group in plan.groups if group.to_do and not group.problem]
    machine = plan.machine
    here = f"{_plural(machine.cores, 'core')}, {_plural(machine.gpus, 'GPU')}, {_bytes(machine.free_disk_bytes)} free"
    yield f"in all      {_plural(sum(len(group.to_do) for group in to_do), 'experiment')} to do; here: {here}"
    local = [group for group in to_do if not group.remote and not group.config.simulated]
    known = [group.seconds_each * len(group.to_do) for group in local if group.seconds_each is not None]
    least = "at least " if len(known) < len(local) else ""
    if known and not (least and sum(known) < 1):
        total = _duration(sum(known), least)
        yield f"  time      {total} here, one experiment after the other"
    if plan.jobs:
        yield f"  jobs      {len(plan.jobs)}, {sum(job.hours * job.machines for job in plan.jobs):.1f} machine hours"
        if any(job.instance_type for job in plan.jobs):
            yield f"  money     {_money(plan)}"


def _money(plan: Plan) -> str:
    prices = plan.prices
    if prices is None:
        return (
            "no prices are known; give a file with --prices FILE (YAML: date, region, currency, source, and prices per hour "
            "by instance type), or --prices aws to ask for AWS's list"
        )
    if plan.cost is None:
        return f"unknown: not all prices are in the list ({prices.source})"
    return (
        f"about {plan.cost:,.2f} {prices.currency} on demand, by the prices of {prices.date} in {prices.region} "
        f"({prices.source}); storage and start-up not counted"
    )


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _numbers(values: list[int]) -> str:
    """Format seeds as 0-4, or as 1, 3, 7."""
    if len(values) > 2 and values == list(range(values[0], values[-1] + 1)):
        return f"{values[0]}-{values[-1]}"
    return ", ".join(map(str, values))


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def to_dict(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain values for JSON."""
    return {
        "machine": asdict(plan.machine),
        "groups": [_plain(group) for group in plan.groups],
        "prices": None if plan.prices is None else asdict(plan.prices),
        "cost": plan.cost,
        "warnings": advice(plan),
    }


def _plain(group: Group) -> dict[str, Any]:
    config = group.config
    return {
        "benchmark": config.benchmark.name,
        "method": config.method.name,
        "simulated": config.simulated,
        "launcher": config.launcher.get("_target_"),
        "experiments": [
            {
                "seed": place.config.seed,
                "directory": str(place.directory),
                "state": place.standing.value,
                "detail": place.detail,
            }
            for place in group.places
        ],
        "n_workers": config.n_workers,
        "num_gpus_per_trial": config.num_gpus_per_trial,
        "gpus": group.gpus,
        "slots": group.slots,
        "elsewhere": group.elsewhere,
        **config.budget,
        "error": group.problem,
        "rungs": group.rungs,
        "expectation": None if group.expectation is None else asdict(group.expectation),
        "smoke": None if group.smoke is None else {**asdict(group.smoke), "start_up": group.smoke.start_up},
        "seconds_each": group.seconds_each,
        "device_hours_each": group.device_hours_each,
        "disk_bytes_each": group.disk_each,
        "jobs": [asdict(job) for job in group.jobs],
    }
