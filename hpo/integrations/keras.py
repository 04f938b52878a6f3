"""Keras 3: `model.fit(..., initial_epoch=resume(model), callbacks=[KerasReport()])`."""

from collections.abc import Mapping
from typing import Any

import keras

from hpo.integrations import generators, saved


def resume(model: Any) -> int:
    """Give a compiled model the weights and the optimizer's state that were saved last, and report their metrics again.

    Args:
        model: built and compiled as at the first attempt.

    Returns:
        the epochs that are done: the `initial_epoch` of `fit`.

    Raises:
        ValueError: what was saved is damaged; or the model has no weights or no optimizer yet.
    """
    if not model.built or getattr(model, "optimizer", None) is None:
        raise ValueError(
            "resume(model): build the model, by a keras.Input or model.build(shape), and compile it before"
        )
    found = saved.resume()
    if found is None:
        return 0
    model.optimizer.build(model.trainable_variables)  # it makes its variables at the first step otherwise
    model.load_weights(found.path)
    return int(found.metrics["epoch"])


class KerasReport(keras.callbacks.Callback):
    """Saves weights and optimizer at the end of each epoch, then reports its logs and `epoch`, counted from 1.

    It comes last among the callbacks: what others change at the end of an epoch is then saved, too.
    """

    _begun = False

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Draw what would have been drawn: since `resume`, preparing to fit has drawn something else."""
        found = None if self._begun else saved.find()
        if found is not None and found.metrics["epoch"] == epoch:
            generators.restore(found.generators)
        self._begun = True

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Save, then report."""
        metrics = saved.scalars(logs or {}) | {"epoch": epoch + 1}
        saved.save_and_report(f"epoch-{epoch + 1}.weights.h5", self.model.save_weights, metrics)
