"""Which experiments may be compared: equal conditions, the same seeds, paired randomness. Refuses, or warns."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo.analysis.conditions import check_conditions
from hpo.analysis.runs import Run
from hpo.analysis.steered import unsteered
from hpo.errors import ConfigError
from hpo.events.objective import Objective
from hpo.events.wording import shortened


@dataclass(frozen=True, eq=False)
class Block:
    """The experiments of one benchmark that every method has: methods x seeds, complete."""

    benchmark: str
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    runs: Mapping[tuple[str, int], Run]
    """By (method, seed)."""
    loaded: Sequence[Run]
    """All experiments of the benchmark, those of other seeds included."""

    @property
    def objective(self) -> Objective:
        """What is compared; `loaded` have what was asked for."""
        return self.loaded[0].objective

    @property
    def cost(self) -> str | None:
        """What is compared over in place of time, where a cost is named."""
        return self.loaded[0].cost

    @property
    def data_label(self) -> str | None:
        """What the data are when they are not measured, such as `semi-synthetic`."""
        labels = {str(run.metadata["data_label"]) for run in self.loaded if run.metadata.get("data_label")}
        return ", ".join(sorted(labels - {"recorded", "real"})) or None


def arrange(
    runs: Sequence[Run], *, include_incomplete: bool, include_steered: bool = False, unpaired: bool
) -> tuple[list[Block], list[str]]:
    """Group experiments by benchmark, method and seed, and check that comparing them is fair.

    Args:
        runs: what `load_runs` gave.
        include_incomplete: take interrupted and running ones as far as they got.
        include_steered: take those in which somebody has stopped trials, or which were held.
        unpaired: accept different random_seeds: then seeds pair independent experiments.

    Returns:
        one block per benchmark, and warnings.

    Raises:
        ConfigError: there is nothing to compare, or it would not be fair.
    """
    kept, warnings = _complete(_labelled(runs), include_incomplete)
    kept = unsteered(kept, include_steered, warnings)
    methods = list(dict.fromkeys(run.label for run in kept))
    if len(methods) < 2:
        raise ConfigError(
            f"{f'only {methods[0]}' if methods else 'nothing'} to compare among {len(runs)} experiment(s)"
            f"{''.join(f' ({warning})' for warning in warnings)}; a comparison needs two methods: run the same command with "
            "method=RS,ASHA, or name another tag too"
        )
    groups: dict[str, list[Run]] = defaultdict(list)
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


def _labelled(runs: Sequence[Run]) -> list[Run]:
    """With the tag in the label of each method that two tags have, with the same seed or with other settings."""
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
    seen: dict[tuple[str, str, int], Run] = {}
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


def _start(run: Run) -> tuple[str | None, str]:
    """The earlier results that it started from, and what they were used for."""
    return run.config.warm_start_sha256, run.config.warm_start_use.value


def _said(run: Run) -> str:
    digest, use = _start(run)
    return "nothing" if digest is None else f"the {use} of earlier results {digest[:8]}"


def _complete(runs: Sequence[Run], include_incomplete: bool) -> tuple[list[Run], list[str]]:
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
            else f"left out {count} that are not complete: {names}; the command that started them goes on with them, "
            "--include-incomplete takes them as they are"
        )
    return kept, warnings


def _block(benchmark: str, methods: Sequence[str], group: Sequence[Run], warnings: list[str]) -> Block | None:
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
    """Seeds as ranges: `seeds 0-4, 7`."""
    spans: list[list[int]] = []
    for seed in sorted(seeds):
        if spans and seed == spans[-1][1] + 1:
            spans[-1][1] = seed
        else:
            spans.append([seed, seed])
    text = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {text}"


def _starts(block: Block) -> list[str]:
    """What is to be said where some methods start from earlier results; all that do must start from the same."""
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
