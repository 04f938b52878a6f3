"""The common part for both packages of Lightning: an epoch that is saved and reported at its end, and resumed from."""

from typing import Any

from hpo.integrations import generators, library_checkpoint


def resume() -> str | None:
    """Return the checkpoint to pass as `ckpt_path`, and report its metrics again; None in the first attempt.

    Raises:
        ValueError: The checkpoint is damaged.
    """
    found = library_checkpoint.resume()
    return None if found is None else str(found.path)


class EpochReport:
    """The hooks of a Lightning callback that saves and reports at the end of each epoch that had a validation.

    Without any validation, it saves and reports each epoch. It reports the logged metrics under their own names and
    `epoch`, counted from 1. Lightning calls it after other callbacks, because it is a checkpoint callback.
    """

    _validated = False

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Restore the random number generators before the first batches: others may have drawn since `resume`."""
        found = library_checkpoint.find_checkpoint()
        if found is not None and str(found.path) == str(trainer.ckpt_path):
            generators.restore(found.generators)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Forget the validation of the previous epoch."""
        self._validated = False

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Record that a validation took place, unless it is the sanity check before the training."""
        self._validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Save a checkpoint in all processes, then report in the first."""
        if trainer.enable_validation and not self._validated:
            return
        epoch = trainer.current_epoch + 1
        path = library_checkpoint.checkpoint_path(f"epoch-{epoch}.ckpt")
        if path is not None:
            trainer.save_checkpoint(str(path))
        if trainer.is_global_zero:
            library_checkpoint.report_saved(
                path, library_checkpoint.scalars(trainer.callback_metrics) | {"epoch": epoch}
            )
