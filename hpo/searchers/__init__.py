"""Searchers: where the next configuration comes from."""

from hpo.searchers.base import Searcher
from hpo.searchers.expected_improvement import HyperTuneSearcher, IndependentSearcher, MOBSTERSearcher
from hpo.searchers.gaussian_process import GaussianProcessSearcher
from hpo.searchers.grid import GridSearcher
from hpo.searchers.improvement import ImprovementSearcher
from hpo.searchers.priorband import PriorBandSearcher
from hpo.searchers.random import RandomSearcher
from hpo.searchers.sobol import SobolSearcher

__all__ = [
    "GaussianProcessSearcher",
    "GridSearcher",
    "HyperTuneSearcher",
    "ImprovementSearcher",
    "IndependentSearcher",
    "MOBSTERSearcher",
    "PriorBandSearcher",
    "RandomSearcher",
    "Searcher",
    "SobolSearcher",
]
