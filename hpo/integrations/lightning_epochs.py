"""What both packages of Lightning have in common: an epoch that is saved at its end, reported, and gone on from."""

from typing import Any

from hpo.integrations import generators, saved


def resume() -> str | None:
    """The `ckpt_path` to fit from, with its metrics reported again; None at the first attempt.

    Raises:
        ValueError: it is damaged.
    """
    found = saved.resume()
    return None if found is None else str(found.path)


class EpochReport:
    """The hooks of a callback that saves and reports at the end of each epoch in which there was a validation.

    Where nothing is validated, that is each epoch. Reported are the metrics that were logged, under their own names, and
    `epoch`, counted from 1. Lightning calls it after other callbacks, for it is one that makes checkpoints.
    """

    _validated = False

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Draw what would have been drawn: the first batches are drawn next, and since `resume` others may have drawn."""
        found = saved.find()
        if found is not None and str(found.path) == str(trainer.ckpt_path):
            generators.restore(found.generators)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Nothing is validated yet."""
        self._validated = False

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Note that there was a validation, unless it is the one before the training."""
        self._validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Save with all processes, then report with the first."""
        if trainer.enable_validation and not self._validated:
            return
        epoch = trainer.current_epoch + 1
        path = saved.place(f"epoch-{epoch}.ckpt")
        if path is not None:
            trainer.save_checkpoint(str(path))
        if trainer.is_global_zero:
            saved.report_saved(path, saved.scalars(trainer.callback_metrics) | {"epoch": epoch})
