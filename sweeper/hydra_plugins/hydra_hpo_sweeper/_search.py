"""A search: the app becomes a benchmark of hpo's, which a process of its own tunes in the directory of the sweep."""

import copy
import glob
import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import setup_globals
from hydra.errors import CompactHydraException
from hydra.types import HydraContext
from hydra_plugins.hydra_hpo_sweeper._process import run_hpo
from hydra_plugins.hydra_hpo_sweeper._program import find_app, find_options
from hydra_plugins.hydra_hpo_sweeper._results import write_results
from hydra_plugins.hydra_hpo_sweeper._search_space import Hyperparameter, call_custom, read_space, swept
from omegaconf import DictConfig, OmegaConf, read_write

from hpo.config.hydra_versions import register_resolver
from hpo.config.yaml_files import dump_yaml, override_text
from hpo.store.tags import read_tag

if TYPE_CHECKING:
    from hydra_plugins.hydra_hpo_sweeper.hpo_sweeper import HpoSweeperConf

log = logging.getLogger(__name__)

_CALLBACK = "hydra_plugins.hydra_hpo_sweeper._returned.ReportReturned"
_BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
_OF_THE_SWEEP = ("hydra.sweeper", "hydra.launcher", "hydra.sweep.", "hydra.run.", "hydra.mode", "hydra.output_subdir")
"""Keys of Hydra's that a trial, which is a single run in a folder of hpo's, is not given."""
_KEYS = (
    *("max_num_trials", "max_num_evaluations", "max_wallclock_time", "target_value"),
    *("n_workers", "num_gpus_per_trial", "seed", "random_seed", "warm_start_use"),
)
"""Of the sweeper, that are handed on to hpo as they are."""
_FOLDER = ".hpo"
"""In a sweep's directory: what hpo was started with."""
_BENCHMARK = "hydra_app"
_ANY = "\ue000"
"""Stands for a date or a time while the directories of a sweep are looked for."""


class Search:
    """One search.

    Args:
        context: Hydra's, whose loader composes the app's configuration.
        config: of the sweep, as Hydra has composed it.
        settings: the sweeper's.
    """

    def __init__(self, context: HydraContext, config: DictConfig, settings: "HpoSweeperConf") -> None:
        self._context, self._config, self._settings = context, config, settings

    def run(self, overrides: Sequence[Override]) -> dict[str, Any] | None:
        """Search, or go on with a search of the same command that did not come to its end.

        Returns:
            The best, as in optimization_results.yaml; None where it is not known here yet.

        Raises:
            CompactHydraException: one sentence about what is wrong.
            SystemExit: a signal has ended the search, in order.
        """
        self._refuse()
        given = {override.get_key_element(): override for override in overrides}
        tuned = self._hyperparameters(given)
        fixed = {key: _text(override) for key, override in given.items() if not override.is_sweep_override()}
        if not tuned:
            raise CompactHydraException(
                f"hydra.sweeper.method={self._settings.method}: there is nothing to tune; give a key several values, such "
                "as 'lr=tag(log, interval(1e-5, 1e-1))' or act=relu,tanh"
            )
        benchmark = self._benchmark(tuned, fixed)
        content = {f"benchmark/{_BENCHMARK}.yaml": dump_yaml(benchmark), "overrides.yaml": self._overrides()}
        directory = self._directory(content)
        for name, text in content.items():
            path = directory / _FOLDER / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        OmegaConf.save(self._config, directory / "multirun.yaml")
        folder = directory / _FOLDER
        place = [f"experiment_tag={_tag(directory)}", f"hydra.sweep.dir={override_text(str(directory))}"]
        run_hpo(["--config-dir", str(folder), *place, f"@{folder}/overrides.yaml"], directory)
        return write_results(directory, benchmark)

    def _hyperparameters(self, given: Mapping[str, Override]) -> list[Hyperparameter]:
        """Return what is tuned; an override takes the place of the same key in a `search_space`."""
        settings, found = (
            self._settings,
            [swept(override) for override in given.values() if override.is_sweep_override()],
        )
        space = dict(settings.search_space or {})
        if space and settings.params:
            log.warning("hydra.sweeper.search_space is left out, because there are hydra.sweeper.params")
            space = {}
        if settings.custom_search_space:
            space.update(call_custom(settings.custom_search_space, self._config))
        taken = {key.lstrip("+") for key in given}
        found += [hyperparameter for hyperparameter in read_space(space) if hyperparameter.name not in taken]
        for hyperparameter in found:
            if hyperparameter.name.rpartition(".")[2] == "seed":
                log.warning(
                    "%s is tuned like any hyperparameter, so that the search prefers lucky seeds; give it one value "
                    "(several seeds within a trial are not possible yet)",
                    hyperparameter.name,
                )
        return found

    def _refuse(self) -> None:
        """Raise CompactHydraException for what a search cannot be combined with."""
        if (trial := os.environ.get("HPO_TRIAL_ID")) is not None:
            raise CompactHydraException(
                f"hydra/sweeper=hpo: this is trial {trial} of a search already; have the app start a single run, for which "
                "hydra.mode=RUN is passed to it"
            )
        for key in ("objectives", "constraints", "search_space", "benchmark"):
            value = getattr(self._settings, key)
            if value is not None and not isinstance(value, Mapping):
                raise CompactHydraException(f"hydra.sweeper.{key}={value}: write a mapping, such as '{{name: value}}'")
        allowed = getattr(self._context, "execution_whitelist", None)  # of Hydra 1.4
        if isinstance(allowed, tuple) and not set(allowed) & {_CALLBACK, f"{__package__}.*"}:
            raise CompactHydraException(
                f"hydra/sweeper=hpo: the execution_whitelist of @hydra.main does not allow {_CALLBACK}, which takes the "
                f"result of each trial; add '{__package__}.*' to it"
            )
        launcher = OmegaConf.select(self._config, "hydra.launcher._target_")
        if launcher != _BASIC:
            name = self._config.hydra.runtime.choices.get("hydra/launcher", launcher)
            raise CompactHydraException(
                f"hydra/launcher={name}: a search starts its trials itself, hydra.sweeper.n_workers at a time; for a cluster "
                "pass hydra.sweeper.overrides=['launcher=slurm'], and leave hydra/launcher out"
            )

    def _benchmark(self, tuned: Sequence[Hyperparameter], fixed: dict[str, str]) -> dict[str, Any]:
        """The benchmark that the app is."""
        settings = self._settings
        first = self._compose(tuned, list(fixed.values()))
        arguments: dict[str, Any] = {}
        limit = settings.max_resource_attr
        if limit is not None:
            key = next((key for key in fixed if key.lstrip("+") == limit), limit)
            fixed.pop(key, None)
            arguments[key] = _whole_number(limit, OmegaConf.select(first, limit))
        words = [*find_options(), *self._hydra_words(), *fixed.values()]
        aim: dict[str, Any] = {"metric": settings.metric, "mode": settings.mode}
        return {
            "name": self._config.hydra.job.name,
            **find_app(),
            **({"objectives": settings.objectives} if settings.objectives else aim),
            **({"constraints": settings.constraints} if settings.constraints else {}),
            **({} if settings.points_to_evaluate is None else {"points_to_evaluate": settings.points_to_evaluate}),
            "resource_attr": settings.resource_attr,
            "max_resource_attr": limit and key,
            "argument_style": "overrides",
            "arguments": {**{str(place): word for place, word in enumerate(words, 1)}, **arguments},
            "config_space": {hyperparameter.name: hyperparameter.domain for hyperparameter in tuned},
            **(settings.benchmark or {}),
        }

    def _compose(self, tuned: Sequence[Hyperparameter], fixed: Sequence[str]) -> DictConfig:
        """The app's configuration in the first trial; each value of a choice is composed once, so that none is a mistake."""
        always = [hyperparameter for hyperparameter in tuned if "when" not in hyperparameter.domain]
        choices = [(hyperparameter.key, hyperparameter.texts) for hyperparameter in always]
        composed = [
            self._context.config_loader.load_sweep_config(
                self._config, [*fixed, *(f"{key}={texts[number % len(texts)]}" for key, texts in choices)]
            )
            for number in range(max((len(texts) for _, texts in choices), default=1))
        ]
        return composed[0]

    def _hydra_words(self) -> list[str]:
        """What a trial's command line says of Hydra itself."""
        words = ["hydra.mode=RUN"]
        if not any(word.startswith("benchmark.report_channel=") for word in self._settings.overrides):
            settings = self._settings
            metrics = list(settings.objectives or ()) or settings.metric
            metric, resource, limit = map(override_text, (metrics, settings.resource_attr, settings.max_resource_attr))
            keys = f"_target_:{_CALLBACK},metric:{metric},resource_attr:{resource},max_resource_attr:{limit}"
            words.append(f"++hydra.callbacks.hpo_sweeper={{{keys}}}")
        for override in OverridesParser.create().parse_overrides(list(self._config.hydra.overrides.hydra)):
            if not override.key_or_group.replace("/", ".").startswith(_OF_THE_SWEEP):
                words.append(str(override.input_line))
        return words

    def _overrides(self) -> str:
        """What hpo is told besides the directory, as a file that it reads."""
        settings = self._settings
        words = [f"benchmark={_BENCHMARK}", f"method={settings.method}"]
        values = ((key, getattr(settings, key)) for key in _KEYS)
        words += [f"{key}={override_text(value)}" for key, value in values if value is not None]
        if settings.warm_start:
            words.append(f"warm_start={override_text(settings.warm_start)}")
        return dump_yaml({"overrides": [*words, *settings.overrides]})

    def _directory(self, content: Mapping[str, str]) -> Path:
        """The sweep's; where it has date and time in it, that of an unfinished search by the same command."""
        for name in sorted(glob.glob(self._pattern()), reverse=True):  # noqa: PTH207  absolute or not
            directory = Path(name)
            same = all(_read(directory / _FOLDER / part) == text for part, text in content.items())
            if same and not read_tag(directory).get("complete"):
                log.info("Going on with the unfinished search in %s (hydra.sweep.dir=DIR starts another)", directory)
                with read_write(self._config.hydra):  # Hydra 1.4 has made it read-only
                    self._config.hydra.sweep.dir = str(directory)
                return directory
        return Path(self._config.hydra.sweep.dir)

    def _pattern(self) -> str:
        """Of the directories that sweeps of this app have had at other times; empty where it is always the same."""
        timeless = copy.deepcopy(self._config)
        OmegaConf.clear_cache(timeless)
        register_resolver("now", lambda _: _ANY)
        try:
            text = str(timeless.hydra.sweep.dir)
        finally:
            setup_globals()
        return glob.escape(text).replace(_ANY, "*") if _ANY in text else ""


def _text(override: Override) -> str:
    """An override as it is written on a command line."""
    if override.is_delete():
        return str(override.input_line)
    return f"{override.get_key_element()}={override.get_value_element_as_str()}"


def _whole_number(key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise CompactHydraException(
            f"hydra.sweeper.max_resource_attr={key}: it is {value!r} in the app's configuration; name the key that says how "
            "long the app trains, a positive whole number such as epochs: 27"
        )
    return value


def _tag(directory: Path) -> str:
    """A name for the search from its directory, the date before the time included."""
    found = re.search(r"(\d{4}-\d\d-\d\d/)?[^/]+$", str(directory))
    return re.sub(r"[^a-zA-Z0-9]+", "-", found[0] if found else "").strip("-") or "sweep"


def _read(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None
