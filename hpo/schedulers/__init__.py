"""Schedulers: which trial starts, resumes, pauses or stops (ASHA, Hyperband, PBT, pruning); methods from YAML; replay."""

from hpo.schedulers.asha import ASHA, StoppingASHA
from hpo.schedulers.base import Scheduler
from hpo.schedulers.capabilities import SchedulerCapabilities
from hpo.schedulers.cost_aware_asha import ThriftyASHA
from hpo.schedulers.dehb import DEHB
from hpo.schedulers.fifo import FIFO
from hpo.schedulers.mo_asha import MOASHA
from hpo.schedulers.pasha import PASHA
from hpo.schedulers.pbt import PBT
from hpo.schedulers.stopping_rules import StoppingRules
from hpo.schedulers.synchronous import SynchronousHyperband

__all__ = [
    "ASHA",
    "DEHB",
    "FIFO",
    "MOASHA",
    "PASHA",
    "PBT",
    "Scheduler",
    "SchedulerCapabilities",
    "StoppingASHA",
    "StoppingRules",
    "SynchronousHyperband",
    "ThriftyASHA",
]
