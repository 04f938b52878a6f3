"""scikit-learn's estimators that learn bit by bit: `model, done = resume(model)`, then `report(model, epoch=..., ...)`.

They are saved by skops, which reads back what it knows and runs no code of a file, as a pickle would.
"""

from collections.abc import Collection
from typing import Any, TypeVar

from hpo.errors import installing
from hpo.integrations import saved

try:
    from skops import io
except ImportError as error:
    raise ImportError(
        f"hpo.integrations.sklearn saves by skops, which is not there; {installing('sklearn')}"
    ) from error

Model = TypeVar("Model")
_HARMLESS = [f"sklearn.neural_network._stochastic_optimizers.{kind}Optimizer" for kind in ("Adam", "SGD")]
"""Types of scikit-learn that skops does not know yet."""


def resume(model: Model, trusted: Collection[str] = ()) -> tuple[Model, int]:
    """The model that was saved last, with its metrics reported again, or the given one.

    Args:
        model: to begin with.
        trusted: dotted names of types of your own, as given to `report`.

    Returns:
        the model, and the epochs that it has behind it.

    Raises:
        ValueError: what was saved is damaged.
    """
    found = saved.resume()
    if found is None:
        return model, 0
    return io.load(found.path, trusted=[*_HARMLESS, *trusted]), found.metrics["epoch"]


def report(model: Any, *, epoch: int, trusted: Collection[str] = (), **metrics: Any) -> None:
    """Save the model, then report.

    Args:
        model: an estimator, with `partial_fit` or `warm_start`.
        epoch: that it has behind it, counted from 1.
        trusted: dotted names of types in it that are neither scikit-learn's, NumPy's nor SciPy's, and may be read back.
        **metrics: as in `hpo.report`.

    Raises:
        TypeError: the model holds a type that skops does not know and that is not trusted; or a metric cannot be reported.
    """

    def write(path: str) -> None:
        io.dump(model, path)
        if unknown := set(io.get_untrusted_types(file=path)) - {*_HARMLESS, *trusted}:
            names = sorted(unknown)
            raise TypeError(
                f"{names[0]} could not be read back: if that is right give resume and report trusted={names}"
            )

    saved.save_and_report(f"epoch-{epoch}.skops", write, {**metrics, "epoch": epoch})
