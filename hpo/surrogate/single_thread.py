"""Restriction of linear algebra to one thread: matrices are small, and results must not depend on the number of cores."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController


@lru_cache(maxsize=8)
def _controller(module: str) -> ThreadpoolController:
    importlib.import_module(module)  # a library must be loaded to be found
    return ThreadpoolController()


@contextmanager
def one_thread(module: str = "scipy.linalg") -> Iterator[None]:
    """Limit BLAS and LAPACK to one thread within a `with` block, and OpenMP if it is loaded with `module`.

    `ThreadpoolController.limit` does the same, but queries the description of each library every time.
    """
    changed = [(library, n) for library in _controller(module).lib_controllers if (n := library.num_threads) != 1]
    for library, _ in changed:
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, n in changed:
            library.set_num_threads(n)
