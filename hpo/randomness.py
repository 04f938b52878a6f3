"""Counter-based random streams: a number drawn here never depends on how many were drawn elsewhere.

Every consumer asks for a stream by name and index. Streams with different names or indices are independent. The same name and
index give the same numbers in every process, on every machine, and after every resume.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Randomness:
    """The source of all random streams of one experiment, derived from its master seed and its seed number.

    The two are hashed together and never added, so that neighbouring pairs of seeds share no stream.
    """

    random_seed: int
    seed: int
    paired: bool = False
    """Whether all configurations have the same training seed."""

    def stream(self, name: str, index: int = 0) -> "np.random.Generator":
        """Return a new random number generator for a purpose (`name`) and the count of its uses (`index`)."""
        import numpy as np  # late: help and completion draw no number, and NumPy takes a third of their time

        text = f"{self.random_seed}/{self.seed}/{name}/{index}"
        key = _key_type()(hashlib.blake2b(text.encode(), digest_size=16).digest())
        return np.random.Generator(np.random.Philox(key))

    def training_seed(self, configuration: Mapping[str, Any], copy: int | None = None) -> int:
        """Return the seed (below 2**31) for training a configuration; it is the same whichever method proposes it.

        With `paired` it is the same for all configurations.

        Args:
            configuration: Configuration to be trained.
            copy: Id of a trial that starts from a copy of another trial's checkpoint, which gives it a seed of its own.
        """
        trained = "paired" if self.paired else canonical(configuration)
        text = f"{self.random_seed}/{self.seed}/train/{trained}{'' if copy is None else f'/{copy}'}"
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little") >> 1


@cache
def _key_type() -> Any:  # Any: NumPy's type hints do not allow a seed sequence of one's own as the key
    """Return the class of the key of a Philox generator, which has the form of a NumPy seed sequence.

    If the key is given as the argument `key`, NumPy also asks the operating system for entropy, which takes far longer.
    """
    import numpy as np
    from numpy.random.bit_generator import ISeedSequence

    class Key(ISeedSequence):
        def __init__(self, digest: bytes) -> None:
            self._words = np.frombuffer(digest, "<u8")

        def generate_state(self, n_words: int, dtype: Any = np.uint64) -> "NDArray[np.uint64]":
            """Return the key as two 64-bit words, the low one first."""
            return self._words

    return Key


def canonical(configuration: Mapping[str, Any]) -> str:
    """Return a text that is the same for two configurations exactly if they are equal, whatever the order of their keys."""
    return _encode(configuration)


_encode = json.JSONEncoder(sort_keys=True, default=str, check_circular=False).encode
