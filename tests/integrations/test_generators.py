"""The random number generators: what was drawn after `random_states` is drawn again after `restore`."""

import json
import random

import numpy as np
import torch

from hpo.integrations import generators


def drawn():
    return (
        random.random(),
        random.gauss(),
        np.random.rand(),  # noqa: NPY002
        np.random.randn(),  # noqa: NPY002
        torch.rand(3).tolist(),
        torch.randn(1).item(),
    )


def test_what_was_drawn_is_drawn_again():
    drawn()  # an odd number of Gaussian numbers: Python and NumPy have kept one for later
    found = json.loads(json.dumps(generators.random_states()))
    first = drawn()
    assert drawn() != first
    generators.restore(found)
    assert drawn() == first


def test_a_process_without_numpy_and_torch_keeps_python_s_alone(monkeypatch):
    found = generators.random_states()
    for name in ("numpy", "torch"):
        monkeypatch.delitem(generators.sys.modules, name)
    assert set(generators.random_states()) == {"python"}
    generators.restore(found)
