"""Counter-based random streams: a number drawn here never depends on how many were drawn elsewhere.

Every consumer asks for a stream by name and id. Streams of different names or ids are independent, the same
name and id give the same numbers in every process, on every machine, after every resume.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Randomness:
    """The source of all streams of one experiment: master seed and seed number, never added together."""

    random_seed: int
    seed: int

    def stream(self, name: str, index: int = 0) -> np.random.Generator:
        """A fresh generator for the `index`-th use of `name`."""
        text = f"{self.random_seed}/{self.seed}/{name}/{index}"
        key = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")
        return np.random.Generator(np.random.Philox(key=key))

    def training_seed(self, configuration: Mapping[str, Any], copy: int | None = None) -> int:
        """A seed below 2**31 for training `configuration`, the same whichever method proposes it.

        Args:
            configuration: what is trained.
            copy: the id of a trial that goes on from another's checkpoint: it shares its seed with none.
        """
        text = f"{self.random_seed}/{self.seed}/train/{canonical(configuration)}{'' if copy is None else f'/{copy}'}"
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little") >> 1


def canonical(configuration: Mapping[str, Any]) -> str:
    """A text that two configurations share exactly when they are equal, whatever the order of their keys."""
    return _encode(configuration)


_encode = json.JSONEncoder(sort_keys=True, default=str).encode
