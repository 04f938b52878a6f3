"""Integration of Hugging Face's Trainer: `trainer.train(resume_from_checkpoint=resume())` with `TransformersReport()`."""

from pathlib import Path
from typing import Any

from safetensors import safe_open
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hpo.checkpoint import directory
from hpo.integrations import library_checkpoint


def resume() -> str | None:
    """Return the checkpoint for `resume_from_checkpoint`, with its metrics reported again; None in the first attempt.

    Raises:
        ValueError: The checkpoint is damaged.
    """
    found = library_checkpoint.resume()
    return None if found is None else str(found.path)


class TransformersReport(TrainerCallback):
    """A callback that makes the Trainer save after each evaluation, and then reports what was logged at that step.

    Without evaluations (`eval_strategy="no"`) it saves and reports after each log of the loss. It reports all numbers
    under the Trainer's names (`eval_loss`), `step`, and `epoch`, which is whole unless evaluations are counted in
    steps. While a tuner listens, checkpoints are written to the trial's folder, not to `output_dir`, and each replaces
    the previous one.

    Args:
        until: Epoch (or step, if evaluations are counted in steps) after which the training ends. The learning rate is
            planned for `num_train_epochs`: set that to the maximum of all trials, and `until` to what this trial shall
            train.
    """

    def __init__(self, until: int | None = None) -> None:
        self._until = until
        self._due: int | None = None  # step to report once it is saved
        self._over = False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **others: Any
    ) -> None:
        """Redirect checkpoints to the trial's folder, and stop the training if the loaded checkpoint is already complete.

        Also loads weights that were saved under other names than the model has.

        Raises:
            ValueError: With `save_strategy="best"` the Trainer leaves evaluations unsaved.
        """
        folder = directory()
        if folder is not None:
            if args.save_strategy == "best":
                raise ValueError(
                    "save_strategy='best': it leaves evaluations unsaved; use 'no', and hpo has each of them saved"
                )
            args.output_dir = str(folder)
            args.save_total_limit = None  # hpo removes a checkpoint only once the next one is complete
            found = library_checkpoint.find_checkpoint()
            if found is not None and found.metrics["step"] == state.global_step:
                _load_renamed(model, found.path)
        # The Trainer checks this after the first step, whose evaluation does not belong to the trial.
        self._over = control.should_training_stop = self._is_over(args, state)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """Prevent the Trainer from logging, evaluating or saving if the training was complete before."""
        if self._over:
            control.should_log = control.should_evaluate = control.should_save = False

    on_epoch_end = on_step_end

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """Make the Trainer save after an evaluation."""
        self._have_saved(args, state, control)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **others: Any,
    ) -> None:
        """Make the Trainer save after a log of the loss, if nothing is evaluated."""
        if args.eval_strategy == "no" and "loss" in (logs or {}):
            self._have_saved(args, state, control)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """Report the metrics of the saved step, and end the training if `until` is reached."""
        if self._due == state.global_step:
            self._due = None
            if state.is_world_process_zero:
                best = [Path(state.best_model_checkpoint)] if state.best_model_checkpoint else []
                path = Path(args.output_dir, f"checkpoint-{state.global_step}")
                library_checkpoint.report_saved(path, self._metrics(args, state), keep=best)
            control.should_training_stop |= self._is_over(args, state)

    def _have_saved(self, args: TrainingArguments, state: TrainerState, control: TrainerControl) -> None:
        if directory() is not None:
            self._due = state.global_step
            control.should_save = True
        elif state.is_world_process_zero:
            library_checkpoint.report_saved(None, self._metrics(args, state))
            control.should_training_stop |= self._is_over(args, state)

    def _metrics(self, args: TrainingArguments, state: TrainerState) -> dict[str, float]:
        """Return the metrics that were logged at the current step."""
        found: dict[str, Any] = {}
        for entry in reversed(state.log_history):
            if entry["step"] != state.global_step:
                break
            found = entry | found
        return library_checkpoint.scalars(found) | {"step": state.global_step, "epoch": self._epoch(args, state)}

    def _is_over(self, args: TrainingArguments, state: TrainerState) -> bool:
        spent = self._epoch(args, state) if _in_epochs(args) else state.global_step
        return self._until is not None and spent >= self._until

    @staticmethod
    def _epoch(args: TrainingArguments, state: TrainerState) -> float:
        epoch = state.epoch or 0
        return round(epoch) if _in_epochs(args) else epoch


def _in_epochs(args: TrainingArguments) -> bool:
    """Whether the Trainer evaluates, or logs if it evaluates nothing, once per epoch."""
    strategy: str = args.logging_strategy if args.eval_strategy == "no" else args.eval_strategy
    return strategy == "epoch"


def _load_renamed(model: Any, folder: Path) -> None:
    """Load weights that were saved under other names than the model has, which the Trainer of transformers 5 leaves out."""
    weights = folder / "model.safetensors"
    if isinstance(model, PreTrainedModel) and weights.exists():
        with safe_open(weights, "pt") as file:
            renamed = set(file.keys()) - set(model.state_dict())
        if renamed:
            model.load_state_dict(type(model).from_pretrained(folder).state_dict())
