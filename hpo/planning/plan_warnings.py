"""Warnings about a plan, as a reviewer would give them: one sentence each, with a remedy."""

from collections import Counter
from collections.abc import Iterator

from hpo.config.budgets import has_limit, time_limits
from hpo.config.metric_direction import doubts
from hpo.planning.directory_state import DirectoryState
from hpo.planning.plan import Group, Plan
from hpo.schedulers import PBT
from hpo.searchers import GridSearcher

SEEDS_FOR_AN_INTERVAL = 6
_FEW_AT_THE_TOP = 3.5
USUAL_QUOTA = 20
"""Number of simultaneous jobs that many accounts may not exceed."""


def advice(plan: Plan) -> list[str]:
    """Return all warnings about a plan, each sentence once."""
    parts = (_standing, _metric, _budget, _search, _population, _rungs, _start_up, _devices, _script, _elsewhere)
    found = [sentence for group in plan.groups for part in parts for sentence in part(group, plan)]
    return list(dict.fromkeys([*found, *_about_all(plan)]))


def _standing(group: Group, _plan: Plan) -> Iterator[str]:
    if different := [place for place in group.places if place.standing == DirectoryState.DIFFERENT]:
        first, more = different[0], f" and {len(different) - 1} more" if len(different) > 1 else ""
        yield (
            f"{first.directory}{more} hold(s) another configuration ({first.detail}), which ends with an error: pass another "
            f"experiment_tag, or overwrite=true to delete what is there"
        )
    if deleted := group.standings.get(DirectoryState.OVERWRITTEN):
        yield f"overwrite=true deletes {deleted} experiment(s) of {group.name}: leave it out to resume them"


def _metric(group: Group, _plan: Plan) -> Iterator[str]:
    yield from doubts(group.config.objective)


def _budget(group: Group, _plan: Plan) -> Iterator[str]:
    config, name = group.config, group.name
    endless = group.scheduler is None or group.scheduler.over is None
    if endless and not has_limit({**config.budget, "target_value": None}):
        yield f"{name}: there is no budget, and it runs until it is interrupted: pass max_wallclock_time or max_num_trials"
    full = _full_training(group)
    for key, limit in time_limits(config.budget, devices=config.devices).items():
        if full is not None and limit < full:
            given: float = getattr(config, key)
            seconds = key == "max_wallclock_time"
            shown = f"{given:g} s" if seconds else f"{given:g}, which is {limit:.0f} s with all workers,"
            enough = f"{full:.0f}" if seconds else f"{given * full / limit:.3g}"
            yield (
                f"{name}: {key}={shown} is shorter than one full-budget evaluation, about {full:.0f} s: no trial gets to the "
                f"end; pass at least {enough}"
            )


def _full_training(group: Group) -> float | None:
    """Return the seconds of a full-budget evaluation, as measured or of the table's median configuration; None if unknown."""
    if group.table is not None:
        whole = sorted(float(seconds) for seconds in group.table.seconds[:, 0, -1])
        share = (group.config.max_resource or group.table.max_resource) / group.table.max_resource
        return whole[len(whole) // 2] * share
    if group.smoke is None or group.config.max_resource is None:
        return None
    return group.smoke.start_up + group.smoke.per_unit * group.config.max_resource


def _search(group: Group, _plan: Plan) -> Iterator[str]:
    config, name = group.config, group.name
    if config.space.conditions:
        for always in sorted(config.space.branches.used()[1] & config.space.conditions.keys()):
            yield f"benchmark.config_space.{always}.when always holds: remove it, or add values to what it names"
    size, most, expected = config.space.size, config.max_num_trials, group.expectation
    if most is not None and size < most:
        yield (
            f"{name}: the space has {size:.0f} configurations, fewer than max_num_trials={most}: it ends when all are tried; "
            f"pass max_num_trials={size:.0f}, or add values"
        )
    searcher = group.scheduler.searcher if group.scheduler is not None else None
    if not isinstance(searcher, GridSearcher) or expected is None or expected.assumed_trials is not None:
        return
    if not expected.cut and expected.trials < 0.99 * min(searcher.grid_size, size):
        yield (
            f"{name}: the grid has {searcher.grid_size} points, of which about {expected.trials:.0f} are tried within "
            f"the budget: lower method.searcher.num_samples, or give more"
        )


def _population(group: Group, _plan: Plan) -> Iterator[str]:
    if isinstance(group.scheduler, PBT) and group.slots > (size := group.scheduler.population.size):
        yield (
            f"{group.name}: a population of {size} keeps {size} of {group.slots} workers busy: raise "
            f"method.scheduler.population, or pass n_workers={size}"
        )


def _rungs(group: Group, _plan: Plan) -> Iterator[str]:
    expected, rungs, config = group.expectation, group.rungs, group.config
    if expected is None or not rungs or expected.assumed_trials is not None or expected.cut:
        return
    maximum, top = max(expected.reached.items())
    if top <= _FEW_AT_THE_TOP:
        yield (
            f"{group.name}: {len(rungs)} rung(s) from {rungs[0]:,} to {maximum:,} {config.benchmark.resource_attr}s with "
            f"{group.slots} worker(s): about {_count(top)} will reach the top; give a larger budget, or raise "
            f"method.scheduler.min_resource"
        )


def _start_up(group: Group, _plan: Plan) -> Iterator[str]:
    """Warn about attempts that wait longer for their machine than they use it."""
    if not group.start_up:
        return
    first = group.rungs[0] if group.rungs and group.promotes else group.config.max_resource
    trained = group.smoke.per_unit * first if group.smoke is not None and first is not None else None
    if trained is None or trained < group.start_up:
        how = "how long it then trains shows --smoke" if trained is None else f"and then trains for {trained:.3g} s"
        yield (
            f"{group.name}: each attempt waits about {group.start_up / 60:.0f} minutes for its machine, {how}: for short "
            f"ones set backend.keep_alive, raise method.scheduler.min_resource, or use launcher=sagemaker, where all trials "
            f"share a machine"
        )


def _count(trials: float) -> str:
    if trials < 0.05:
        return "no trial"
    return f"{trials:.1f} trials" if trials < 1 else f"{trials:.0f} trial{'s' if round(trials) > 1 else ''}"


def _devices(group: Group, plan: Plan) -> Iterator[str]:
    config, name = group.config, group.name
    workers, per_trial = config.n_workers or 1, config.num_gpus_per_trial or 0
    if config.simulated:
        return
    where = "this machine" if not group.remote else group.jobs[0].machine if group.jobs else "the machine"
    if per_trial and group.gpus is not None:
        slots = group.gpus // per_trial
        if slots == 0:
            offers = f"{group.gpus} GPU(s)" if group.gpus else "no GPU"
            yield (
                f"{name}: num_gpus_per_trial={per_trial}, but {where} has {offers}, so that it ends with an error at once: "
                f"pass num_gpus_per_trial={group.gpus}, or another launcher"
            )
        elif workers > slots:
            yield f"{name}: n_workers={workers}, but {where} has GPUs for {slots}: the others wait; pass n_workers={slots}"
        elif slots >= 2 * workers:
            idle = group.gpus - workers * per_trial
            yield (
                f"{name}: n_workers={workers} on {group.gpus} GPUs leaves {idle} of them idle: pass n_workers={slots}, or "
                f"scale with num_gpus_per_trial"
            )
    if not per_trial and not group.remote and group.elsewhere is None and workers > plan.machine.cores:
        yield (
            f"{name}: n_workers={workers} share {plan.machine.cores} core(s), so that trials take longer: pass "
            f"n_workers={plan.machine.cores}"
        )


def _script(group: Group, plan: Plan) -> Iterator[str]:
    if group.smoke is not None and group.smoke.checkpoint_bytes == 0 and group.promotes:
        yield (
            f"{group.name}: the script saved no checkpoint, so that every resumed trial starts over: save before each "
            f"report, or choose a method that never pauses, such as ASHA-STOP"
        )
    if group.smoke is not None and group.smoke.units == 1 and group.rungs:
        yield (
            f"{group.name}: one report was measured, so that the start of the script counts as training: times are upper "
            f"bounds"
        )
    disk = group.disk_each
    if disk is not None and not group.remote and disk * len(group.to_do) > plan.machine.free_disk_bytes:
        yield (
            f"{group.name}: checkpoints need about {disk * len(group.to_do) / 1e9:.1f} GB, and "
            f"{plan.machine.free_disk_bytes / 1e9:.1f} GB are free here: pass "
            f"delete_checkpoints=true, or a max_checkpoint_gigabytes that fits, or make room"
        )
    if group.table is not None and group.table.data_label == "semi-synthetic":
        yield (
            f"{group.config.benchmark.name}: the table is semi-synthetic (final values are recorded, what is before them "
            f"is made up): draw no conclusion about early stopping from it alone"
        )


def _elsewhere(group: Group, plan: Plan) -> Iterator[str]:
    if not group.remote:
        return
    launcher = group.config.launcher
    missing = [f"launcher.{key}" for key in ("bucket", "role") if key in launcher and launcher[key] is None]
    if missing and not launcher.get("dry_run"):
        yield f"{' and '.join(missing)} are missing: a submission needs them; launcher.dry_run=true does not"
    if launcher.get("wait"):
        yield (
            f"launcher.wait=true: the command stays here until all {len(plan.jobs)} jobs have ended; leave it out, and "
            f"`hpo sync` brings the results"
        )
    unpriced = {job.instance_type for job in group.jobs} - set(plan.prices.prices if plan.prices else ()) - {None}
    if plan.prices is not None and unpriced:
        yield f"--prices: there is no price of {', '.join(sorted(map(str, unpriced)))} in it: add it"
    region = launcher.get("region")
    if plan.prices is not None and region is not None and region != plan.prices.region:
        yield f"--prices: they are of {plan.prices.region}, and launcher.region={region}: give those of that region"
    if launcher.get("spot"):
        yield "launcher.spot=true: money and hours are of machines on demand; spot costs less and takes longer"


def _about_all(plan: Plan) -> Iterator[str]:
    for name in dict.fromkeys(group.config.benchmark.name for group in plan.groups):
        groups = [group for group in plan.groups if group.config.benchmark.name == name]
        seeds = min(len({place.config.seed for place in group.places}) for group in groups)
        if len({group.config.method.name for group in groups}) > 1 and seeds < SEEDS_FOR_AN_INTERVAL:
            yield (
                f"{name}: {seeds} seed(s) are too few for `hpo compare` to give an interval for a difference between "
                f"methods: pass num_seeds={SEEDS_FOR_AN_INTERVAL} or more"
            )
    shared = [place for place, count in Counter(place.directory for place in plan.places).items() if count > 1]
    if shared:
        yield (
            f"{len(shared)} directories are those of several experiments, such as {shared[0]}: put what is swept into a "
            "name, as in method.name='ASHA-${method.scheduler.reduction_factor}', or into the experiment_tag"
        )
    sent = [job for job in plan.jobs if job.instance_type is not None]
    if len(sent) > USUAL_QUOTA:
        yield (
            f"{len(sent)} jobs at once: many accounts may run {USUAL_QUOTA} or fewer of a type; beyond its quota the command "
            f"waits for jobs to end: request a larger one, or send fewer seeds per call"
        )
