"""What Hydra finds: the keys of `hydra/sweeper=hpo` and its sweeper, which is Hydra's own until a method is chosen."""

from dataclasses import dataclass, field
from typing import Any

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
    max_batch_size: int | None = None
    """Without a method: jobs that a launcher gets at a time, as for `hydra/sweeper=basic`."""
    params: dict[str, str] | None = field(default_factory=dict)
    """Overrides by their keys, below those of the command line."""
    method: str | None = None
    """What searches, such as ASHA; null: every combination is run."""
    metric: str = "objective"
    """What the app's reports call it; of an app that returns a number any name."""
    mode: str = "min"
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
    overrides: list[str] = field(default_factory=list)
    """Any further overrides of `hpo`."""


ConfigStore.instance().store(group="hydra/sweeper", name="hpo", node=HpoSweeperConf, provider="hydra_hpo_sweeper")


class HpoSweeper(BasicSweeper):
    """Hydra's sweeper where no method is chosen; else a search by hpo.

    Args:
        settings: the keys of HpoSweeperConf.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = HpoSweeperConf(**settings)
        super().__init__(self._settings.max_batch_size, self._settings.params)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra's hook. A search needs no launcher, and one that is not installed must not hide what to use instead."""
        if self._settings.method is None:
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
        if self._settings.method is not None:
            from hydra_plugins.hydra_hpo_sweeper._search import Search

            return Search(self.hydra_context.config_loader, self.config, self._settings).run(parsed)
        for override in parsed:
            if override.is_interval_sweep():
                raise CompactHydraException(
                    f"{override.input_line}: an interval is no list of values; choose what searches it by "
                    "hydra.sweeper.method, such as ASHA or BO"
                )
        return super().sweep(arguments)
