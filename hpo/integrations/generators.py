"""The random number generators of a training process: their states, so that a resumed one draws what it would have drawn."""

import random
import sys
from typing import Any


def states() -> dict[str, Any]:
    """Those of Python, and of NumPy and torch where they are loaded, as values that JSON can hold."""
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
    """Set the generators that are loaded here to what `states` has found."""
    version, words, gauss = found["python"]
    random.setstate((version, tuple(words), gauss))
    if "numpy" in found and (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.set_state(tuple(found["numpy"]))
    if "torch" in found and (torch := sys.modules.get("torch")) is not None:
        torch.set_rng_state(_read(torch, found["torch"]))
        # On a machine with other devices the training is another one anyway.
        if len(found.get("cuda", ())) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all([_read(torch, state) for state in found.get("cuda", ())])


def _written(state: Any) -> str:
    return bytes(state.tolist()).hex()


def _read(torch: Any, text: str) -> Any:
    return torch.tensor(list(bytes.fromhex(text)), dtype=torch.uint8)
