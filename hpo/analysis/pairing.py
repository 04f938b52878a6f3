"""Which experiments may be compared: equal conditions, the same seeds, paired randomness. Refuses, or warns."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpo.analysis.runs import Run
from hpo.analysis.steered import unsteered
from hpo.config.schema import BACKENDS, BUDGET_KEYS, CONDITIONS, REAL_BACKENDS
from hpo.errors import ConfigError
from hpo.events.objective import Objective
from hpo.events.wording import shortened

_WAITING = BACKENDS["sagemaker"].rpartition(".")[2]
_ALIKE = {target.rpartition(".")[2] for target in REAL_BACKENDS} - {_WAITING}
"""Classes that start an attempt at once, wherever it runs."""


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
            warnings += [*_conditions(block), *_starts(block), *_pairing(block, unpaired)]
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


def _conditions(block: Block) -> list[str]:
    """Raise unless all ran the same benchmark under the same conditions; warn of what makes it less than equal."""
    runs = list(block.runs.values())
    first = runs[0]
    for run in runs[1:]:
        old, new = first.config.benchmark, run.config.benchmark
        machine = {*old.arguments_of_the_machine, *new.arguments_of_the_machine}
        pairs = {
            **{f"benchmark.{key}": (getattr(old, key), getattr(new, key)) for key in CONDITIONS},
            "benchmark.arguments": (old.arguments_besides(machine), new.arguments_besides(machine)),
            "num_gpus_per_trial": (first.config.num_gpus_per_trial, run.config.num_gpus_per_trial),
            "backend": (_backend(first), _backend(run, _backend(first))),
        }
        for key, (a, b) in pairs.items():
            if a != b and not (key == "backend" and {a, b} <= _ALIKE):
                key, a, b = _narrowed(key, a, b)
                waits = ", and an attempt of the one waits minutes for its machine" if _WAITING in (a, b) else ""
                raise ConfigError(
                    f"{block.benchmark}: {key} is {a} in {first.directory} and {b} in {run.directory}{waits}; methods are "
                    "compared under equal conditions only: run them with one command, or name other directories"
                )
    warnings = [*_backends(block), *_workers(block, runs)]
    for key in BUDGET_KEYS:
        values = sorted({str(getattr(run.config, key)) for run in runs})
        if len(values) > 1:
            warnings.append(
                f"{block.benchmark}: {key} differs ({', '.join(values)}); compared within the time that all reached"
            )
    hosts = sorted({host for run in runs for host in run.hosts})
    if len(hosts) > 1 and "imulat" not in str(first.metadata.get("backend")):
        warnings.append(f"{block.benchmark}: times are compared across {len(hosts)} machines ({shortened(hosts)})")
    return warnings


def _backend(run: Run, otherwise: str | None = None) -> str | None:
    """The name of the class that ran its trials; what versions did not say is as in the others."""
    found = run.metadata.get("backend", otherwise)
    return None if found is None else str(found)


def _backends(block: Block) -> list[str]:
    """What is to be said where trials ran here in some experiments, and on other machines in others.

    What a trial reports is the same: configurations, seeds and code are. When it does is not, and methods are compared over
    time.
    """
    names = sorted({name for run in block.runs.values() if (name := _backend(run)) is not None})
    if len(names) < 2:
        return []
    of_method = {m: {_backend(block.runs[m, seed]) for seed in block.seeds} for m in block.methods}
    mixed = len({frozenset(found) for found in of_method.values()}) == 1
    whose = "the same share of each method's seeds has to be on each" if mixed else "run all methods with one of them"
    return [
        f"{block.benchmark}: trials ran with {' and '.join(names)}; their results may be compared, but their times are also "
        f"those of the machines: for a difference in time that is of the methods, {whose}"
    ]


def _workers(block: Block, runs: Sequence[Run]) -> list[str]:
    """What is to be said where not all had the same number of workers all the time."""
    warnings = [
        f"{block.benchmark}: n_workers changed within {run.directory} (from {' to '.join(map(str, run.n_workers))})"
        for run in runs
        if len(run.n_workers) > 1
    ]
    if len(counts := sorted({run.config.n_workers or 1 for run in runs})) > 1:
        warnings.append(
            f"{block.benchmark}: n_workers differs ({', '.join(map(str, counts))}); with more of them results come sooner, "
            "whatever the method"
        )
    return warnings


def _narrowed(key: str, a: Any, b: Any) -> tuple[str, Any, Any]:
    """The first key in which two mappings differ."""
    while isinstance(a, Mapping) and isinstance(b, Mapping):
        name = next(name for name in [*a, *b] if a.get(name) != b.get(name))
        key, a, b = f"{key}.{name}", a.get(name), b.get(name)
    return key, getattr(a, "value", a), getattr(b, "value", b)


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
