"""Warm start of an experiment: earlier results are read once, when it is opened, and copied beside its log."""

import contextlib
import logging
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hpo.config.choices import WarmStartUse
from hpo.config.reading import read_config
from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError, DamageError, HPOError, StoreError
from hpo.events.types import Kind, Status
from hpo.exporting.portable import unpack
from hpo.schedulers.warm_start import check_count
from hpo.store.atomic_files import write_atomically
from hpo.store.directory import LAUNCH_RECORD, ExperimentDirectory
from hpo.store.event_store import Store
from hpo.store.experiment_paths import find_experiments
from hpo.store.tags import OUTPUTS
from hpo.store.untrusted import MOST_EARLIER, read_untrusted
from hpo.warm_start.matching import MatchedSource, match_results
from hpo.warm_start.results import (
    EarlierExperiment,
    EarlierResult,
    from_lines,
    read_copy,
    sha256_of,
    to_lines,
)

log = logging.getLogger(__name__)

MOST_RESULTS = 5000
"""Largest number of results in a copy; beyond it each source gets an equal share: its best trials and latest results."""

TAG = "tag:"

_held: dict[tuple[str, ...], list[EarlierExperiment]] = {}
"""Earlier experiments read by this command: all experiments of a sweep use the same, even if a source grows meanwhile."""


@dataclass(frozen=True)
class Copy:
    """A copy of earlier results in an experiment's directory, written or about to be written."""

    sha256: str | None = None
    content: bytes | None = None
    """The bytes to write if the file is missing or will be deleted before; None if it stays."""

    def write(self, files: ExperimentDirectory) -> str | None:
        """Write the copy unless it exists, and return its SHA-256; None if the experiment has no warm start."""
        if self.content is not None:
            write_atomically(files.warm_start, self.content)
        return self.sha256


def prepare_copy(files: ExperimentDirectory, config: ExperimentConfig) -> Copy:
    """Return the copy for an experiment that is about to be opened: its existing one, else a new one that is not written yet.

    Args:
        files: Directory of the experiment.
        config: Resolved configuration, with the SHA-256 of an existing copy.

    Raises:
        HPOError: A source cannot be read or does not fit, or the existing copy has changed.
    """
    if not config.warm_start:
        return Copy()
    _refuse_withdrawn_use(files, config)
    if config.warm_start_sha256 is None:
        config = replace(config, warm_start_sha256=_sent(files, config))
    if config.warm_start_sha256 is not None:
        _matched(read_copy(config, files.path), config)
        return Copy(
            config.warm_start_sha256, read_untrusted(files.warm_start, MOST_EARLIER) if config.overwrite else None
        )
    experiments = collect(config.warm_start, own=files.path)
    _matched(experiments, config)
    content = to_lines(experiments)
    return Copy(sha256_of(content), content)


def with_copy(files: ExperimentDirectory, config: ExperimentConfig) -> ExperimentConfig:
    """Return a resolved configuration with the SHA-256 of the copy in its directory, which is written if missing.

    Raises:
        HPOError: A source cannot be read or does not fit, or the existing copy has changed.
    """
    return replace(config, warm_start_sha256=prepare_copy(files, config).write(files))


def _refuse_withdrawn_use(files: ExperimentDirectory, config: ExperimentConfig) -> None:
    """Raise ConfigError if an experiment would begin with a use that only stored experiments still have."""
    if config.warm_start_use != WarmStartUse.hurdle:
        return
    if config.overwrite or not (config.warm_start_sha256 or files.config.exists() or _sent(files, config)):
        raise ConfigError(
            "warm_start_use=hurdle: new experiments cannot use it, because it was never better than portfolio; use "
            "warm_start_use=portfolio"
        )


def _sent(files: ExperimentDirectory, config: ExperimentConfig) -> str | None:
    """Return the SHA-256 of the copy that was sent with a remote job for the same sources; None if there was none."""
    if config.overwrite or not (files.path / LAUNCH_RECORD).exists() or not files.warm_start.exists():
        return None
    try:
        content = read_untrusted(files.warm_start, MOST_EARLIER)
    except OSError as error:
        raise StoreError(f"{files.warm_start}: cannot be read ({error.strerror or error}); remove it") from error
    sources = dict.fromkeys(experiment.source for experiment in from_lines(content, files.warm_start))
    return sha256_of(content) if list(sources) == config.warm_start else None


def check_sources(config: ExperimentConfig, directory: Path) -> None:
    """Raise ConfigError if a new experiment cannot start from the sources in `warm_start`.

    The results are kept for all experiments of this process that name the same sources.
    """
    if config.warm_start and config.warm_start_sha256 is None:
        _refuse_withdrawn_use(ExperimentDirectory(directory), config)
        sources = tuple(config.warm_start)
        if sources not in _held:
            _held[sources] = collect(sources, own=directory)
        say_taken(_held[sources], config)


def say_taken(experiments: Sequence[EarlierExperiment], config: ExperimentConfig) -> None:
    """Log how much of each source is used, and why the rest is not."""
    for source in _matched(experiments, config) if experiments else ():
        log.info("%s", source.said, extra={"terminal": True, "once": source.said})


def _matched(experiments: Sequence[EarlierExperiment], config: ExperimentConfig) -> list[MatchedSource]:
    """Return the results of each source that fit the experiment; raise if these are too few for the requested use."""
    sources = match_results(experiments, config)
    check_count(config.warm_start_use, sources)
    return sources


def collect(sources: Sequence[str], *, own: Path) -> list[EarlierExperiment]:
    """Read the current results of earlier experiments.

    Args:
        sources: Directories, tags and files.
        own: Directory of the experiment that starts from them.

    Raises:
        ConfigError: A source does not exist, is damaged, or contains the experiment itself.
    """
    if (held := _held.get(tuple(sources))) is not None:
        return held
    share = MOST_RESULTS // len(sources)
    found: list[EarlierExperiment] = []
    for source in sources:
        try:
            found += _shortened(_read_source(source, own), share)
        except HPOError as error:
            if isinstance(error, ConfigError) and str(error).startswith("warm_start="):
                raise
            raise ConfigError(f"warm_start={source}: {error}") from error
    return found


def _read_source(source: str, own: Path) -> list[EarlierExperiment]:
    path = Path(source)
    if path.is_file():
        if zipfile.is_zipfile(path):
            with tempfile.TemporaryDirectory(prefix="hpo-warm-start-") as folder:
                return [_read_experiment(source, directory) for directory in unpack(path, Path(folder))]
        return [replace(experiment, source=source) for experiment in from_lines(path.read_bytes(), path)]
    place = OUTPUTS / source.removeprefix(TAG) if source.startswith(TAG) else path
    if source.startswith(TAG) and not place.is_dir():
        raise ConfigError(f"warm_start={source}: there is no tag of that name under {OUTPUTS}/; name another")
    directories = find_experiments(place)
    if any(directory.resolve() == own.resolve() for directory in directories):
        raise ConfigError(
            f"warm_start={source}: it holds the experiment that is to start from it; name the directories of others, or "
            "choose another experiment_tag"
        )
    return [_read_experiment(source, directory) for directory in directories]


def _read_experiment(source: str, directory: Path) -> EarlierExperiment:
    """Read all reports of an experiment's trials that did not fail, except copies, which train several configurations."""
    files = ExperimentDirectory(directory)
    config = read_config(files.config)
    configurations, left_out, results, number, seen = {}, set(), [], 0, config.objective.without_tests
    if files.events.is_file():
        try:
            with contextlib.closing(Store(files.events, read_only=True)) as store:
                for number, event in store.read_numbered():  # noqa: B007
                    if event.kind == Kind.STARTED:
                        configurations[event.trial_id] = event.body["configuration"]
                        if "source" in event.body:
                            left_out.add(event.trial_id)
                    elif event.kind == Kind.REPORTED:
                        trial = event.trial_id
                        results.append(
                            EarlierResult(trial, configurations[trial], event.reached, seen(event.body["metrics"]))
                        )
                    elif event.kind == Kind.ENDED and event.body["status"] in (Status.FAILED, Status.TIMEOUT):
                        left_out.add(event.trial_id)
        except DamageError as error:
            raise ConfigError(f"warm_start={source}: {files.events} is damaged; leave it out, or restore it") from error
    benchmark = config.benchmark
    return EarlierExperiment(
        source=source,
        experiment=config.place,
        events=number,
        metric=benchmark.metric,
        mode=benchmark.mode.value,
        resource_attr=benchmark.resource_attr,
        max_resource=config.max_resource,
        config_space=benchmark.config_space,
        constants={**config.space.constants, **benchmark.arguments},
        results=[result for result in results if result.trial not in left_out],
    )


def _shortened(experiments: Sequence[EarlierExperiment], most: int) -> Iterator[EarlierExperiment]:
    """Yield a source's experiments with at most `most` results: half of them from the best trials, half the latest."""
    places = [(number, at) for number, one in enumerate(experiments) for at in range(len(one.results))]
    if len(places) <= most:
        yield from experiments
        return

    losses = [list(one.losses()) for one in experiments]

    def quality(place: tuple[int, int]) -> tuple[float, float]:
        number, at = place
        one = experiments[number]
        return -one.results[at].resource / (one.max_resource or 1), losses[number][at]

    best = sorted(places, key=quality)[: most // 2]
    latest = sorted(set(places) - set(best), key=lambda place: (place[1], place[0]))[-(most - len(best)) :]
    kept = {*best, *latest}
    counts = Counter(number for number, _ in kept)
    for number, one in enumerate(experiments):
        results = [result for at, result in enumerate(one.results) if (number, at) in kept]
        yield replace(one, results=results, left_out=len(one.results) - counts[number])
