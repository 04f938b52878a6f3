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
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Randomness:
    """The source of all streams of one experiment: master seed and seed number, never added together."""

    random_seed: int
    seed: int

    def stream(self, name: str, index: int = 0) -> np.random.Generator:
        """A fresh generator for the `index`-th use of `name`."""
        text = f"{self.random_seed}/{self.seed}/{name}/{index}"
        key: Any = _Key(hashlib.blake2b(text.encode(), digest_size=16).digest())  # which NumPy's types do not foresee
        return np.random.Generator(np.random.Philox(key))

    def training_seed(self, configuration: Mapping[str, Any], copy: int | None = None) -> int:
        """A seed below 2**31 for training `configuration`, the same whichever method proposes it.

        Args:
            configuration: what is trained.
            copy: the id of a trial that goes on from another's checkpoint: it shares its seed with none.
        """
        text = f"{self.random_seed}/{self.seed}/train/{canonical(configuration)}{'' if copy is None else f'/{copy}'}"
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little") >> 1


class _Key(ISeedSequence):
    """The key of a Philox generator. Given as `key`, NumPy would also ask the system for entropy, which takes far longer."""

    def __init__(self, digest: bytes) -> None:
        self._words = np.frombuffer(digest, "<u8")

    def generate_state(self, n_words: int, dtype: Any = np.uint64) -> NDArray[np.uint64]:
        """Its two words, low and high."""
        return self._words


def canonical(configuration: Mapping[str, Any]) -> str:
    """A text that two configurations share exactly when they are equal, whatever the order of their keys."""
    return _encode(configuration)


_encode = json.JSONEncoder(sort_keys=True, default=str, check_circular=False).encode
