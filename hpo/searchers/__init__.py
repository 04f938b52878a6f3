"""Searchers: where the next configuration comes from."""

from hpo.searchers.base import Searcher
from hpo.searchers.expected_improvement import HyperTuneSearcher, IndependentSearcher, MOBSTERSearcher
from hpo.searchers.gaussian_process import GaussianProcessSearcher
from hpo.searchers.grid import GridSearcher
from hpo.searchers.multi_objective import MultiObjectiveSearcher
from hpo.searchers.nsga2 import NSGA2Searcher
from hpo.searchers.priorband import PriorBandSearcher
from hpo.searchers.random import RandomSearcher
from hpo.searchers.sobol import SobolSearcher

__all__ = [
    "GaussianProcessSearcher",
    "GridSearcher",
    "HyperTuneSearcher",
    "IndependentSearcher",
    "MOBSTERSearcher",
    "MultiObjectiveSearcher",
    "NSGA2Searcher",
    "PriorBandSearcher",
    "RandomSearcher",
    "Searcher",
    "SobolSearcher",
]
