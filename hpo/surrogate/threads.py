"""Linear algebra on one thread: matrices here are small, and results must not depend on how many cores there are."""

from contextlib import AbstractContextManager
from functools import lru_cache

from threadpoolctl import ThreadpoolController


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401  # its library must be loaded to be found

    return ThreadpoolController()


def one_thread() -> AbstractContextManager[object]:
    """Within it, BLAS and LAPACK of this process use one thread."""
    limited: AbstractContextManager[object] = _controller().limit(limits=1)
    return limited
