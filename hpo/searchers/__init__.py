"""Searchers: which configuration comes next (random, grid, TPE, Bayesian optimisation, evolution)."""

from hpo.searchers.base import Searcher
from hpo.searchers.bayesian_optimisation import ImprovementSearcher
from hpo.searchers.bohb import BOHBSearcher
from hpo.searchers.capabilities import SearcherCapabilities
from hpo.searchers.cma_es import CMAESSearcher
from hpo.searchers.evolution import EvolutionSearcher
from hpo.searchers.gaussian_process import GaussianProcessSearcher, TimedSearcher
from hpo.searchers.grid import GridSearcher
from hpo.searchers.mobster import HyperTuneSearcher, IndependentSearcher, MOBSTERSearcher
from hpo.searchers.multi_objective import MultiObjectiveSearcher
from hpo.searchers.nsga2 import NSGA2Searcher
from hpo.searchers.priorband import PriorBandSearcher
from hpo.searchers.random import RandomSearcher
from hpo.searchers.sobol import SobolSearcher
from hpo.searchers.tpe import TPESearcher

__all__ = [
    "BOHBSearcher",
    "CMAESSearcher",
    "EvolutionSearcher",
    "GaussianProcessSearcher",
    "GridSearcher",
    "HyperTuneSearcher",
    "ImprovementSearcher",
    "IndependentSearcher",
    "MOBSTERSearcher",
    "MultiObjectiveSearcher",
    "NSGA2Searcher",
    "PriorBandSearcher",
    "RandomSearcher",
    "Searcher",
    "SearcherCapabilities",
    "SobolSearcher",
    "TPESearcher",
    "TimedSearcher",
]
