"""Integration of incremental scikit-learn estimators: `model, done = resume(model)`, then `report(model, epoch=..., ...)`.

Models are saved by skops, which loads only types that it knows and does not run code from a file, as pickle would.
"""

from collections.abc import Collection
from typing import Any, TypeVar

from hpo.errors import how_to_install
from hpo.integrations import library_checkpoint

try:
    from skops import io
except ImportError as error:
    raise ImportError(
        f"hpo.integrations.sklearn saves by skops, which is not there; {how_to_install('sklearn')}"
    ) from error

Model = TypeVar("Model")
_HARMLESS = [f"sklearn.neural_network._stochastic_optimizers.{kind}Optimizer" for kind in ("Adam", "SGD")]
"""Harmless types of scikit-learn that skops does not know yet."""


def resume(model: Model, trusted: Collection[str] = ()) -> tuple[Model, int]:
    """Return the last saved model, with its metrics reported again, or the given model if none was saved.

    Args:
        model: Initial model.
        trusted: Dotted names of your own types in the model, as given to `report`.

    Returns:
        Model, and the number of epochs it has trained.

    Raises:
        ValueError: The checkpoint is damaged.
    """
    found = library_checkpoint.resume()
    if found is None:
        return model, 0
    return io.load(found.path, trusted=[*_HARMLESS, *trusted]), found.metrics["epoch"]


def report(model: Any, *, epoch: int, trusted: Collection[str] = (), **metrics: Any) -> None:
    """Save the model, then report metrics.

    Args:
        model: Estimator with `partial_fit` or `warm_start`.
        epoch: Number of epochs that the model has trained, counted from 1.
        trusted: Dotted names of types in the model that are not from scikit-learn, NumPy or SciPy and are safe to load.
        **metrics: Metrics as for `hpo.report`.

    Raises:
        TypeError: The model holds a type that skops does not know and that is not trusted, or a metric cannot be
            reported.
    """

    def write(path: str) -> None:
        io.dump(model, path)
        if unknown := set(io.get_untrusted_types(file=path)) - {*_HARMLESS, *trusted}:
            names = sorted(unknown)
            raise TypeError(
                f"{names[0]} could not be read back: if that is right give resume and report trusted={names}"
            )

    library_checkpoint.save_and_report(f"epoch-{epoch}.skops", write, {**metrics, "epoch": epoch})
