"""Computing on one thread: matrices here are small, and results must not depend on how many cores there are."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController


@lru_cache(maxsize=8)
def _controller(module: str) -> ThreadpoolController:
    importlib.import_module(module)  # its library must be loaded to be found
    return ThreadpoolController()


@contextmanager
def one_thread(module: str = "scipy.linalg") -> Iterator[None]:
    """Within it, BLAS and LAPACK of this process use one thread, and so does OpenMP where it is loaded with `module`.

    `ThreadpoolController.limit` does the same, and asks each library for its description every time.
    """
    changed = [(library, n) for library in _controller(module).lib_controllers if (n := library.num_threads) != 1]
    for library, _ in changed:
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, n in changed:
            library.set_num_threads(n)
