"""What Hydra finds: the keys of `hydra/sweeper=hpo` and its sweeper, which is Hydra's own until a method is chosen."""

import importlib.util
import os
import warnings
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import hydra_plugins
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import CompactHydraException
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class HpoSweeperConf:
    """`hydra.sweeper`. What a key of hpo's name means is said in hpo's documentation; null is hpo's default."""

    _target_: str = "hydra_plugins.hydra_hpo_sweeper.hpo_sweeper.HpoSweeper"
    _recursive_: bool = False
    _convert_: str = "all"
    defaults: list[Any] = field(default_factory=lambda: [{"sampler": None}, "_self_"])
    max_batch_size: int | None = None
    """Without a method: jobs that a launcher gets at a time, as for `hydra/sweeper=basic`."""
    params: dict[str, str] | None = field(default_factory=dict)
    """Overrides by their keys, below those of the command line."""
    method: str | None = None
    """What searches, such as ASHA; null: every combination is run."""
    metric: str = "objective"
    """What the app's reports call it; of an app that returns a number any name."""
    mode: str = "min"
    objectives: Any = None
    """Several, by name, in place of metric and mode: {loss: min, latency_ms: {mode: min, log: true}}."""
    constraints: Any = None
    """Bounds of further metrics: {latency_ms: {upper: 20}}."""
    resource_attr: str | None = None
    max_resource_attr: str | None = None
    """The key of the app's configuration that says how long it trains."""
    max_num_trials: int | None = None
    max_num_evaluations: int | None = None
    max_wallclock_time: float | None = None
    target_value: float | None = None
    n_workers: int | None = None
    num_gpus_per_trial: int | None = None
    seed: int | None = None
    random_seed: int | None = None
    points_to_evaluate: list[Any] | None = None
    """Configurations that are tried first."""
    warm_start: list[str] = field(default_factory=list)
    """Earlier searches to start from: directories, or files of `hpo export`."""
    warm_start_use: str | None = None
    search_space: Any = None
    """Hyperparameters as mappings: hpo's domains, conditional ones included, or the distributions of the Optuna sweeper."""
    benchmark: Any = None
    """Any further keys of a benchmark of hpo's, such as cost_attr."""
    overrides: list[str] = field(default_factory=list)
    """Any further overrides of `hpo`."""

    sampler: Any = None
    """From here on keys of the Optuna sweeper, for configurations that have them."""
    pruner: Any = None
    direction: Any = None
    n_trials: int | None = None
    n_jobs: int | None = None
    storage: Any = None
    study_name: str | None = None
    max_failure_rate: float | None = None
    custom_search_space: str | None = None


OPTUNAS_KEYS = (
    *("sampler", "pruner", "direction", "n_trials", "n_jobs", "storage", "study_name", "max_failure_rate"),
    "custom_search_space",
)
"""Keys that the Optuna sweeper has and hpo has none of, but understands."""

GROUPS = {
    "tpe": "TPESampler",
    "random": "RandomSampler",
    "grid": "GridSampler",
    "cmaes": "CmaEsSampler",
    "nsgaii": "NSGAIISampler",
    "gp": "GPSampler",
    "qmc": "QMCSampler",
}
"""Choices of `hydra/sweeper/sampler` that have a counterpart, and the samplers that they are."""

_PROVIDER = "hydra_hpo_sweeper"
ConfigStore.instance().store(group="hydra/sweeper", name="hpo", node=HpoSweeperConf, provider=_PROVIDER)

_WITH_OPTUNAS = importlib.util.find_spec("hydra_plugins.hydra_optuna_sweeper") is not None
"""Whether the Optuna sweeper is installed too, which then provides the group of samplers."""
if not _WITH_OPTUNAS:
    for _group, _name in GROUPS.items():
        _node = {"_target_": f"optuna.samplers.{_name}", "seed": None}  # little, because every Hydra app stores it
        ConfigStore.instance().store(group="hydra/sweeper/sampler", name=_group, node=_node, provider=_PROVIDER)
if "HPO_TRIAL_ID" in os.environ:  # Hydra 1.4 warns of every callback, and this one is ours
    warnings.filterwarnings(
        "ignore", r"hydra\.utils\.instantiate\(\) resolved _target_='hydra_plugins\.hydra_hpo_sweeper\."
    )


class HpoSweeper(BasicSweeper):
    """Hydra's sweeper where no method is chosen; else a search by hpo.

    Args:
        settings: the keys of HpoSweeperConf.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = HpoSweeperConf(**settings)
        super().__init__(self._settings.max_batch_size, self._settings.params)

    @property
    def _searches(self) -> bool:
        """Whether a search is configured: by a method, or by keys of the Optuna sweeper."""
        chosen = (*OPTUNAS_KEYS, "method", "search_space")
        return any(getattr(self._settings, key) is not None for key in chosen)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra's hook. A search needs no launcher, and one that is not installed must not hide what to use instead."""
        if not self._searches:
            super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.hydra_context, self.config = hydra_context, config

    def sweep(self, arguments: list[str]) -> Any:
        """Run every combination, or search.

        Returns:
            of combinations what Hydra's sweeper returns, of a search what optimization_results.yaml says (None: nothing yet).

        Raises:
            HydraException: the sweep is wrong, or did not come to its end.
        """
        assert self.hydra_context is not None
        assert self.config is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        parsed = parser.parse_overrides([*self._parse_config(), *arguments])
        if self._searches:
            from hydra_plugins.hydra_hpo_sweeper._moved import translate
            from hydra_plugins.hydra_hpo_sweeper._search import Search

            return Search(self.hydra_context, self.config, translate(self._settings)).run(parsed)
        for override in parsed:
            if override.is_interval_sweep():
                raise CompactHydraException(
                    f"{override.input_line}: an interval is no list of values; choose what searches it by "
                    "hydra.sweeper.method, such as ASHA or BO"
                )
        return super().sweep(arguments)


if not _WITH_OPTUNAS:

    class OptunaSweeper(HpoSweeper):
        """The sweeper under the name that configurations of the Optuna sweeper have as their `_target_`."""

        __module__ = "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper"

    # Hydra registers a plugin by the name of its module, and 1.3 then looks it up from the package down.
    vars(hydra_plugins)["hydra_optuna_sweeper"] = SimpleNamespace(
        optuna_sweeper=SimpleNamespace(OptunaSweeper=OptunaSweeper)
    )
