"""Confirmation: the best configurations of a search, trained again with fresh seeds, and which of them to take."""

from hpo.confirmation.confirm import confirm

__all__ = ["confirm"]
