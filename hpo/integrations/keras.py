"""Keras 3 integration: `model.fit(..., initial_epoch=resume(model), callbacks=[KerasReport()])`."""

from collections.abc import Mapping
from typing import Any

import keras

from hpo.integrations import generators, library_checkpoint


def resume(model: Any) -> int:
    """Load the last saved weights and optimizer state into a compiled model, and report their metrics again.

    Args:
        model: Keras model, built and compiled as in the first attempt.

    Returns:
        Number of finished epochs, for `initial_epoch` of `fit`; 0 in the first attempt.

    Raises:
        ValueError: The checkpoint is damaged, or the model has no weights or no optimizer yet.
    """
    if not model.built or getattr(model, "optimizer", None) is None:
        raise ValueError(
            "resume(model): build the model, by a keras.Input or model.build(shape), and compile it before"
        )
    found = library_checkpoint.resume()
    if found is None:
        return 0
    model.optimizer.build(model.trainable_variables)  # otherwise it creates its variables only at the first step
    model.load_weights(found.path)
    return int(found.metrics["epoch"])


class KerasReport(keras.callbacks.Callback):
    """A Keras callback that saves weights and optimizer at the end of each epoch, then reports its logs and `epoch`, from 1.

    Put it last in the list of callbacks, so that changes by other callbacks at the end of an epoch are saved too.
    """

    _begun = False

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Restore the random number generators in the first epoch after `resume`, because preparing `fit` drew numbers."""
        found = None if self._begun else library_checkpoint.find_checkpoint()
        if found is not None and found.metrics["epoch"] == epoch:
            generators.restore(found.generators)
        self._begun = True

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Save the model, then report the epoch's metrics."""
        metrics = library_checkpoint.scalars(logs or {}) | {"epoch": epoch + 1}
        library_checkpoint.save_and_report(f"epoch-{epoch + 1}.weights.h5", self.model.save_weights, metrics)
