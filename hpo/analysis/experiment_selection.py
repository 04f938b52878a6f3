"""Selection of the experiments that may be compared: equal conditions, the same seeds, paired randomness.

An unfair comparison raises an error or adds a warning. Experiments that a user steered are left out unless asked for.
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo.analysis.conditions import check_conditions
from hpo.analysis.loading import LoadedExperiment
from hpo.errors import ConfigError
from hpo.events.objective import Objective
from hpo.events.text import ranges_of, shortened


def without_steered_experiments(
    runs: Sequence[LoadedExperiment], include_steered: bool, warnings: list[str]
) -> list[LoadedExperiment]:
    """Return the experiments that no user steered, because seeds do not pair steered experiments with others.

    Args:
        runs: Experiments to choose from.
        include_steered: Keep all of them.
        warnings: List that receives one warning about the steered experiments.
    """
    if not (steered := [str(run.directory) for run in runs if run.steered]):
        return list(runs)
    count, names = f"{len(steered)} experiment(s)", shortened(steered)
    if include_steered:
        warnings.append(f"{count} were steered while they ran, so that seeds do not pair them: {names}")
        return list(runs)
    remedy = "--include-steered takes them"
    warnings.append(f"left out {count} that were steered while they ran (trials stopped, or held): {names}; {remedy}")
    return [run for run in runs if not run.steered]


@dataclass(frozen=True, eq=False)
class Block:
    """The compared experiments of one benchmark: one for every pair of method and seed."""

    benchmark: str
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    runs: Mapping[tuple[str, int], LoadedExperiment]
    """Experiments by (method, seed)."""
    loaded: Sequence[LoadedExperiment]
    """All experiments of the benchmark, including those with seeds that not all methods have."""

    @property
    def objective(self) -> Objective:
        """The objective that is compared: the benchmark's, or the hypervolume regret of a multi-objective benchmark."""
        return self.loaded[0].objective

    @property
    def cost(self) -> str | None:
        """The metric that replaces time in the comparison if the benchmark names a cost; None otherwise."""
        return self.loaded[0].cost

    @property
    def data_label(self) -> str | None:
        """The kind of the benchmark's data if they are not measured, such as `semi-synthetic`; None otherwise."""
        labels = {str(run.metadata["data_label"]) for run in self.loaded if run.metadata.get("data_label")}
        return ", ".join(sorted(labels - {"recorded", "real"})) or None


def arrange(
    runs: Sequence[LoadedExperiment], *, include_incomplete: bool, include_steered: bool = False, unpaired: bool
) -> tuple[list[Block], list[str]]:
    """Group experiments by benchmark, method and seed, and check that comparing them is fair.

    Args:
        runs: Experiments that `load_runs` returned.
        include_incomplete: Include interrupted and running experiments as far as they got.
        include_steered: Include experiments in which a user stopped trials or that a user held.
        unpaired: Accept different random_seeds; the seeds then pair independent experiments.

    Returns:
        One block per benchmark, and warnings.

    Raises:
        ConfigError: There is nothing to compare, or the comparison would not be fair.
    """
    kept, warnings = _complete(_labelled(runs), include_incomplete)
    kept = without_steered_experiments(kept, include_steered, warnings)
    methods = list(dict.fromkeys(run.label for run in kept))
    if len(methods) < 2:
        raise ConfigError(
            f"{f'only {methods[0]}' if methods else 'nothing'} to compare among {len(runs)} experiment(s)"
            f"{''.join(f' ({warning})' for warning in warnings)}; a comparison needs two methods: run the same command with "
            "method=RS,ASHA, or name another tag too"
        )
    groups: dict[str, list[LoadedExperiment]] = defaultdict(list)
    for run in kept:
        groups[run.benchmark].append(run)
    blocks = []
    for benchmark, group in groups.items():
        present = {run.label for run in group}
        if missing := [method for method in methods if method not in present]:
            warnings.append(f"left out {benchmark}: it has no experiment of {shortened(missing)}")
            continue
        block = _block(benchmark, sorted(methods), group, warnings)
        if block is not None:
            warnings += [
                *check_conditions(benchmark, list(block.runs.values())),
                *_starts(block),
                *_pairing(block, unpaired),
            ]
            blocks.append(block)
    if not blocks:
        reason = "; ".join(w for w in warnings if w.startswith("left out")) or "nothing is left"
        raise ConfigError(f"no benchmark has a seed that all methods share ({reason}); run the missing seeds")
    return blocks, warnings


def _labelled(runs: Sequence[LoadedExperiment]) -> list[LoadedExperiment]:
    """Add the tag to the label of each method that two tags share with the same seed or with different settings."""
    cells = Counter((run.benchmark, run.label, run.seed) for run in runs)
    tags = Counter(label for label, _ in {(run.label, run.config.experiment_tag) for run in runs})
    settings = {run.label: run.config.method for run in runs}
    starts = {(run.benchmark, run.label): _start(run) for run in runs}
    doubled = {label for (_, label, _), count in cells.items() if count > 1}
    doubled |= {
        run.label
        for run in runs
        if run.config.method != settings[run.label] or _start(run) != starts[run.benchmark, run.label]
    }
    doubled = {label for label in doubled if tags[label] > 1}
    named = [
        dataclasses.replace(run, label=f"{run.label} [{run.config.experiment_tag}]") if run.label in doubled else run
        for run in runs
    ]
    seen: dict[tuple[str, str, int], LoadedExperiment] = {}
    for run in named:
        other = seen.setdefault((run.benchmark, run.label, run.seed), run)
        if other is not run:
            raise ConfigError(
                f"{other.directory} and {run.directory} are both {run.benchmark}, {run.label}, seed {run.seed}; name "
                "directories that hold only one of them"
            )
        first = next(r for r in seen.values() if (r.benchmark, r.label) == (run.benchmark, run.label))
        if first.config.method != run.config.method:
            raise ConfigError(
                f"{run.label}: its settings differ between {first.directory} and {run.directory}; compare them under two "
                "method names"
            )
        if _start(first) != _start(run):
            raise ConfigError(
                f"{run.label}: {first.directory} starts from {_said(first)}, and {run.directory} from {_said(run)}, so that "
                "their seeds are not of one group; run all seeds by one command, or name directories of one group"
            )
    return named


def _start(run: LoadedExperiment) -> tuple[str | None, str]:
    """Return the hash of the earlier results that an experiment started from, and the use it made of them."""
    return run.config.warm_start_sha256, run.config.warm_start_use.value


def _said(run: LoadedExperiment) -> str:
    digest, use = _start(run)
    return "nothing" if digest is None else f"the {use} of earlier results {digest[:8]}"


def _complete(runs: Sequence[LoadedExperiment], include_incomplete: bool) -> tuple[list[LoadedExperiment], list[str]]:
    taken = ("complete", "not complete") if include_incomplete else ("complete",)
    kept = [run for run in runs if run.end > 0 and run.status in taken]
    warnings = []
    if failed := [str(run.directory) for run in runs if run.status == "failed"]:
        warnings.append(
            f"left out {len(failed)} experiment(s) that failed, without one finite result: {shortened(failed)}; the command "
            "that started them trains them again with retry=failed"
        )
    if incomplete := [str(run.directory) for run in runs if run.status == "not complete"]:
        count, names = f"{len(incomplete)} experiment(s)", shortened(incomplete)
        warnings.append(
            f"{count} are not complete and taken as far as they got: {names}"
            if include_incomplete
            else f"left out {count} that are not complete: {names}; the command that started them resumes them, "
            "--include-incomplete compares them as they are"
        )
    return kept, warnings


def _block(
    benchmark: str, methods: Sequence[str], group: Sequence[LoadedExperiment], warnings: list[str]
) -> Block | None:
    seeds = {method: {run.seed for run in group if run.label == method} for method in methods}
    common = set.intersection(*seeds.values())
    if not common:
        has = "; ".join(f"{method} has {_numbers(seeds[method])}" for method in methods)
        warnings.append(f"left out {benchmark}: no seed is common to all methods ({has})")
        return None
    extra = [f"{method} {_numbers(seeds[method] - common)}" for method in methods if seeds[method] - common]
    if extra:
        warnings.append(
            f"{benchmark}: seeds are unequal, only the common {_numbers(common)} are compared; left out: {'; '.join(extra)}"
        )
    runs = {(run.label, run.seed): run for run in group if run.seed in common}
    return Block(benchmark, tuple(methods), tuple(sorted(common)), runs, group)


def _numbers(seeds: set[int]) -> str:
    """Format seeds as ranges: `seeds 0-4, 7`."""
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(ranges_of(seeds))}"


def _starts(block: Block) -> list[str]:
    """Warn if only some methods start from earlier results; raise an error if these start from different ones."""
    firsts = [block.runs[method, block.seeds[0]] for method in block.methods]
    warm = [run for run in firsts if run.config.warm_start_sha256 is not None]
    other = next((run for run in warm if run.config.warm_start_sha256 != warm[0].config.warm_start_sha256), None)
    if other is not None:
        raise ConfigError(
            f"{block.benchmark}: {warm[0].directory} starts from {_said(warm[0])}, {other.directory} from {_said(other)}; "
            "run all methods by one command, so that they start from the same"
        )
    if not warm or len(warm) == len(firsts):
        return []
    names = shortened([run.label for run in warm])
    return [f"{block.benchmark}: {names} start(s) from earlier results, which the others do not have"]


def _pairing(block: Block, unpaired: bool) -> list[str]:
    for seed in block.seeds:
        runs = [block.runs[method, seed] for method in block.methods]
        other = next((run for run in runs if run.config.random_seed != runs[0].config.random_seed), None)
        if other is None:
            continue
        if unpaired:
            return [
                f"{block.benchmark}: random_seed differs between the methods, so their seeds are independent experiments; "
                "intervals hold, but are wider than paired ones"
            ]
        raise ConfigError(
            f"{block.benchmark}: not paired, random_seed is {runs[0].config.random_seed} in {runs[0].directory} and "
            f"{other.config.random_seed} in {other.directory}; run all methods under one experiment_tag or with the same "
            "random_seed, or add --unpaired to compare them as independent experiments"
        )
    return []
