"""States of a training process's random number generators, saved so that a resumed process draws the same numbers."""

import random
import sys
from typing import Any


def random_states() -> dict[str, Any]:
    """Return the states of Python's generator, and of NumPy's and torch's if these are loaded, as JSON values."""
    version, words, gauss = random.getstate()
    found: dict[str, Any] = {"python": [version, list(words), gauss]}
    if (numpy := sys.modules.get("numpy")) is not None:
        name, keys, *others = numpy.random.get_state()
        found["numpy"] = [name, keys.tolist(), *others]
    if (torch := sys.modules.get("torch")) is not None:
        found["torch"] = _written(torch.get_rng_state())
        if torch.cuda.is_initialized():
            found["cuda"] = [_written(state) for state in torch.cuda.get_rng_state_all()]
    return found


def restore(found: dict[str, Any]) -> None:
    """Set the random number generators that are loaded in this process to the states that `random_states` returned."""
    version, words, gauss = found["python"]
    random.setstate((version, tuple(words), gauss))
    if "numpy" in found and (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.set_state(tuple(found["numpy"]))
    if "torch" in found and (torch := sys.modules.get("torch")) is not None:
        torch.set_rng_state(_read(torch, found["torch"]))
        # With another number of devices the training cannot be the same anyway.
        if len(found.get("cuda", ())) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all([_read(torch, state) for state in found.get("cuda", ())])


def _written(state: Any) -> str:
    return bytes(state.tolist()).hex()


def _read(torch: Any, text: str) -> Any:
    return torch.tensor(list(bytes.fromhex(text)), dtype=torch.uint8)
