"""Optuna's samplers and pruners as the Optuna sweeper's configurations name them, and the methods that take their place."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Sampler:
    """A sampler of Optuna and its counterpart."""

    method: str | None
    """The method that takes its place; None if there is none."""
    several: str | None
    """The same if there are several objectives."""
    keys: dict[str, str] = field(default_factory=dict)
    """Arguments of the sampler by name, each with the argument of our searcher that means the same."""
    accepted: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """Arguments that the method has no counterpart for, each with the values that change nothing."""


_WARN = {"warn_independent_sampling": (True, False)}
_INDEPENDENT = {"independent_sampler": (), **_WARN}

SAMPLERS = {
    "TPESampler": Sampler(
        "TPE",
        "MO-BO",
        {"n_startup_trials": "startup", "n_ei_candidates": "num_candidates"},
        {
            "consider_prior": (True,),
            "prior_weight": (1.0,),
            "consider_magic_clip": (True,),
            "consider_endpoints": (False,),
            "multivariate": (True, False),
            "group": (True, False),
            "constant_liar": (True, False),
            "constraints_func": (),
            **_WARN,
        },
    ),
    "RandomSampler": Sampler("RS", "RS"),
    "GridSampler": Sampler("GRID", "GRID", {}, {"_partial_": (True,)}),
    "CmaEsSampler": Sampler(
        "CMA-ES",
        None,
        {},
        {
            "x0": (),
            "sigma0": (),
            "n_startup_trials": (1,),
            "consider_pruned_trials": (False,),
            "restart_strategy": (),
            "popsize": (),
            "inc_popsize": (-1, 2),
            "use_separable_cma": (False,),
            "with_margin": (False, True),
            "lr_adapt": (False,),
            "source_trials": (),
            **_INDEPENDENT,
        },
    ),
    "NSGAIISampler": Sampler(
        "NSGA-II",
        "NSGA-II",
        {
            "population_size": "population_size",
            "crossover_prob": "crossover_probability",
            "swapping_prob": "swap_probability",
        },
        {"mutation_prob": (), "mutation": (), "crossover": (), "constraints_func": ()},
    ),
    "NSGAIIISampler": Sampler(None, None),
    "MOTPESampler": Sampler(None, None),
    "GPSampler": Sampler(
        "BO",
        "MO-BO",
        {},
        {"n_startup_trials": (10,), "deterministic_objective": (False,), "constraints_func": (), **_INDEPENDENT},
    ),
    "QMCSampler": Sampler(
        "SOBOL",
        "SOBOL",
        {},
        {
            "qmc_type": ("sobol",),
            "scramble": (True, False),
            "warn_asynchronous_seeding": (True, False),
            **_INDEPENDENT,
        },
    ),
}
"""By the last part of their `_target_`; all have a seed."""

CREATED_BY = {
    "create_nsgaii_sampler": "NSGAIISampler",
    "create_nsgaiii_sampler": "NSGAIIISampler",
    "raise_motpe_removed": "MOTPESampler",
}
"""Functions that the Optuna sweeper for Hydra 1.4 names in place of samplers."""
