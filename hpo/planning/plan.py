"""The plan of a command: its experiments in groups that differ only by seed, the needs of each group, and its problems."""

import math
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hpo.backends.backend_choice import backend_of, check_backend
from hpo.backends.gpus import visible_gpus
from hpo.config.budgets import longest_seconds
from hpo.config.schema import ExperimentConfig
from hpo.config.targets import target_error_as_sentence
from hpo.errors import ConfigError
from hpo.events.objective import Aim
from hpo.events.types import Configuration
from hpo.experiment.warm_start import check_sources
from hpo.launchers.base import Job, make_launcher
from hpo.launchers.remote import JobDescription, RemoteLauncher
from hpo.planning.directory_state import DirectoryState, PlannedExperiment, place_of
from hpo.planning.expectation import Expectation, TrainingCourse, Trainings, simulate_method
from hpo.planning.prices import Prices, ask_aws
from hpo.planning.smoke_trial import Smoke, smoke_trial
from hpo.randomness import Randomness
from hpo.sagemaker.settings import region_of_environment
from hpo.schedulers.base import Scheduler
from hpo.schedulers.construction import scheduler_of
from hpo.tables.lookup import find_table
from hpo.tables.table import Table


@dataclass(frozen=True)
class Machine:
    """The resources of this machine."""

    cores: int
    gpus: int
    free_disk_bytes: int


@dataclass
class Group:
    """Planned experiments that differ only by seed."""

    places: list[PlannedExperiment]
    slots: int
    """Number of trials that run at a time: the workers, limited by the available GPUs."""
    gpus: int | None
    """Number of GPUs on the machine where the trials run; None if unknown."""
    scheduler: Scheduler | None = None
    problem: str | None = None
    """Reason why the experiments cannot run at all; None if they can."""
    expectation: Expectation | None = None
    table: Table | None = None
    smoke: Smoke | None = None
    launcher: RemoteLauncher | None = None
    jobs: list[JobDescription] = field(default_factory=list)

    @property
    def config(self) -> ExperimentConfig:
        """The configuration of the group's first experiment; the others differ by seed."""
        return self.places[0].config

    @property
    def name(self) -> str:
        """The names of benchmark and method."""
        return f"{self.config.benchmark.name} · {self.config.method.name}"

    @property
    def remote(self) -> bool:
        """Whether a launcher runs the experiments as jobs on other machines."""
        return self.launcher is not None

    @property
    def rungs(self) -> list[int]:
        """The rung levels below the maximum resource; empty without rungs."""
        return list(self.scheduler.levels) if self.scheduler is not None else []

    @property
    def start_up(self) -> float:
        """The seconds that each attempt waits for its machine; 0 if the wait is negligible."""
        return backend_of(self.config)[0].capabilities.start_up_seconds

    @property
    def elsewhere(self) -> str | None:
        """A description of where trials run, if that is not the tuner's machine; None otherwise."""
        return backend_of(self.config)[0].elsewhere(self.config)

    @property
    def promotes(self) -> bool:
        """Whether the method pauses trials and resumes them."""
        return self.scheduler is not None and self.scheduler.capabilities.pauses

    @property
    def to_do(self) -> list[PlannedExperiment]:
        """The experiments that have not finished."""
        return [
            place for place in self.places if place.standing not in (DirectoryState.COMPLETE, DirectoryState.FAILED)
        ]

    @property
    def standings(self) -> dict[DirectoryState, int]:
        """The number of experiment directories in each state."""
        return dict(Counter(place.standing for place in self.places))

    @property
    def expected_seconds(self) -> float | None:
        """The expected duration of one experiment; None if it cannot be computed."""
        return None if self.expectation is None or self.expectation.cut else self.expectation.elapsed

    @property
    def seconds_each(self) -> float | None:
        """The duration of one experiment: as expected, else its limit in time; None if neither is known."""
        if self.expected_seconds is not None:
            return self.expected_seconds
        return longest_seconds(self.config.budget, devices=self.config.devices)

    @property
    def device_hours_each(self) -> float | None:
        """The device hours of one experiment if all workers work until its end; None if that is not known."""
        if self.seconds_each is None:
            return None
        return self.seconds_each * self.config.devices / 3600

    @property
    def disk_each(self) -> float | None:
        """The bytes of checkpoints of one experiment at its end; None if unknown."""
        if self.config.simulated:
            return 0.0
        if self.smoke is None or self.expectation is None:
            return None
        all_of_them = self.smoke.checkpoint_bytes * self.expectation.trials
        limit = self.config.max_checkpoint_gigabytes
        return all_of_them if limit is None else min(all_of_them, limit * 1e9)


@dataclass
class Plan:
    """The planned experiments of a command, with this machine's resources and the prices of instances."""

    groups: list[Group]
    machine: Machine
    prices: Prices | None = None

    @property
    def places(self) -> list[PlannedExperiment]:
        """All planned experiments with their directories."""
        return [place for group in self.groups for place in group.places]

    @property
    def jobs(self) -> list[JobDescription]:
        """All planned remote jobs."""
        return [job for group in self.groups for job in group.jobs]

    def start_up_costs(self, group: Group, attempts: Sequence[float]) -> list[float]:
        """Return the cost of machines while they start, for each number of attempts; empty if the price is unknown."""
        kind = backend_of(group.config)[0].instance_type(group.config)
        if self.prices is None or kind not in self.prices.prices:
            return []
        return [self.prices.prices[kind] * group.start_up * count / 3600 for count in attempts]

    @property
    def cost(self) -> float | None:
        """The cost of all remote jobs at on-demand prices; None if a price is missing."""
        if self.prices is None or not self.jobs:
            return None
        prices = self.prices.prices
        costs = [
            prices[job.instance_type] * job.hours * job.machines for job in self.jobs if job.instance_type in prices
        ]
        return sum(costs) if len(costs) == len(self.jobs) else None

    def ask_for_prices(self) -> None:
        """Ask AWS for the prices of the instances that the jobs use; does nothing if no job uses one.

        Raises:
            ConfigError: boto3 is not installed, or the jobs run in several regions.
            HPOError: AWS cannot be reached, or rejects the request.
        """
        priced = [(group, job.instance_type) for group in self.groups for job in group.jobs if job.instance_type]
        if not priced:
            return
        places = {(g.config.launcher.get("region"), g.config.launcher.get("profile")) for g, _ in priced}
        if len(places) > 1:
            raise ConfigError(f"--prices aws: the jobs run in {len(places)} regions or profiles; plan them one by one")
        (region, profile), *_ = places
        region = region or region_of_environment(profile)
        if region is None:
            raise ConfigError(
                "launcher.region: give one, such as launcher.region=us-west-2, for prices differ by region"
            )
        self.prices = ask_aws({name for _, name in priced}, region, profile)


def make_plan(jobs: Sequence[Job], *, smoke: bool = False, prices: Prices | None = None) -> Plan:
    """Plan the experiments of a command.

    Args:
        jobs: Experiments that the command composes, in order.
        smoke: Run one trial of each benchmark briefly, and measure it.
        prices: Prices of the instances that remote jobs run on.

    Raises:
        ConfigError: The configuration of an experiment is wrong.
        HPOError: The smoke trial failed.
    """
    machine = Machine(len(os.sched_getaffinity(0)), len(visible_gpus()), shutil.disk_usage(Path.cwd()).free)
    plan = Plan([_group(members) for members in _alike([place_of(job) for job in jobs])], machine, prices)
    for group in plan.groups:
        if smoke and not group.config.simulated and group.problem is None:  # once for all methods of a benchmark
            needed = group.config.benchmark, group.config.num_gpus_per_trial
            same = (g.smoke for g in plan.groups if needed == (g.config.benchmark, g.config.num_gpus_per_trial))
            group.smoke = next(filter(None, same), None) or smoke_trial(group.config)
        if group.problem is None:
            group.expectation = simulate_method(
                group.config,
                _trainings(group),
                group.slots,
                restart=group.start_up + (group.smoke.start_up if group.smoke is not None else 0.0),
            )
    return plan


def _alike(places: Sequence[PlannedExperiment]) -> list[list[PlannedExperiment]]:
    groups: list[list[PlannedExperiment]] = []
    for place in places:
        own = (members for members in groups if replace(place.config, seed=members[0].config.seed) == members[0].config)
        if (members := next(own, None)) is None:
            groups.append([place])
        else:
            members.append(place)
    return groups


def _group(places: list[PlannedExperiment]) -> Group:
    config = places[0].config
    # A dry run makes up what a submission would lack, such as a bucket.
    made = make_launcher(config, **({"dry_run": True} if "dry_run" in config.launcher else {}))
    launcher = made if isinstance(made, RemoteLauncher) else None
    group = Group(places, config.n_workers or 1, None, launcher=launcher)
    try:
        group.scheduler = scheduler_of(replace(config, random_seed=config.random_seed or 0))
        if group.to_do:
            check_sources(config, group.to_do[0].directory)
        backend = backend_of(config)[0].capabilities
        if config.simulated or not backend.trials_beside_it or (launcher is None and group.elsewhere is not None):
            check_backend(config)
        if config.simulated:
            group.table = find_table(str(config.benchmark.table))
    except ConfigError as error:
        group.problem = target_error_as_sentence(error, group.config)
        return group
    if launcher is not None:
        group.jobs = [launcher.describe(place.config, place.directory) for place in group.to_do]
        group.gpus = group.jobs[0].gpus if group.jobs else None
    elif backend.trials_beside_it and group.elsewhere is None and not config.simulated:
        group.gpus = len(visible_gpus(config.gpus_to_use))
    per_trial = config.num_gpus_per_trial or 0
    if per_trial and group.gpus is not None and group.gpus >= per_trial:
        group.slots = min(group.slots, group.gpus // per_trial)
    return group


def _trainings(group: Group) -> Trainings | None:
    """Return a function for the courses of trainings, from the table or as measured; None if nothing is known."""
    if (table := group.table) is not None:
        objective = group.config.objective

        def recorded(randomness: Randomness, configuration: Configuration) -> TrainingCourse:
            metrics, seconds = table.training(configuration, table.replicate(randomness, configuration))
            first, *others = ([_loss(aim, value) for value in metrics[aim.metric]] for aim in objective.each)
            return TrainingCourse(seconds, first, list(zip(*others, strict=True)))

        return recorded
    if (smoke := group.smoke) is None:
        return None
    most = group.config.max_resource or 1
    measured = TrainingCourse([group.start_up + smoke.start_up + smoke.per_unit * unit for unit in range(1, most + 1)])
    return lambda _randomness, _configuration: measured


def _loss(aim: Aim, value: float) -> float:
    return aim.loss(value) if math.isfinite(value) else math.inf
