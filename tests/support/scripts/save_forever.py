# ruff: noqa: T201
"""Saves checkpoints 1, 2, 3, …, each a megabyte of its own number, until it is killed."""

import itertools

import torch

from hpo import checkpoint

for number in itertools.count(1):
    checkpoint.save({"number": number, "weights": torch.full((250_000,), float(number))})
    print(number, flush=True)
