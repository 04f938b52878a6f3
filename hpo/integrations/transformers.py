"""The Trainer of Hugging Face: `trainer.train(resume_from_checkpoint=resume())` with `callbacks=[TransformersReport()]`."""

from pathlib import Path
from typing import Any

from safetensors import safe_open
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hpo.checkpoint import directory
from hpo.integrations import saved


def resume() -> str | None:
    """The checkpoint to go on from, with its metrics reported again; None at the first attempt.

    Raises:
        ValueError: it is damaged.
    """
    found = saved.resume()
    return None if found is None else str(found.path)


class TransformersReport(TrainerCallback):
    """Has the Trainer save after each evaluation, then reports what it has logged at that step.

    Without evaluations (`eval_strategy="no"`) it is after each log of the loss. Reported are all numbers under the names
    that the Trainer gives them (`eval_loss`), `step`, and `epoch`: a whole one, unless evaluations are counted in steps.
    While a tuner listens checkpoints are written into the trial's folder, not into `output_dir`, each in place of the last.

    Args:
        until: the epoch (or the step, where evaluations are counted in steps) after which the training ends. The learning
            rate is planned for `num_train_epochs`: give that the most epochs of all, and here what the trial is to train.
    """

    def __init__(self, until: int | None = None) -> None:
        self._until = until
        self._due: int | None = None  # the step that is reported when it is saved
        self._over = False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **others: Any
    ) -> None:
        """Take over where checkpoints are written, and see that the training goes on with what was saved, if it has to.

        Raises:
            ValueError: with `save_strategy="best"` the Trainer leaves evaluations unsaved.
        """
        folder = directory()
        if folder is not None:
            if args.save_strategy == "best":
                raise ValueError(
                    "save_strategy='best': it leaves evaluations unsaved; use 'no', and hpo has each of them saved"
                )
            args.output_dir = str(folder)
            args.save_total_limit = None  # the one before is removed when the next is whole, and not earlier
            found = saved.find()
            if found is not None and found.metrics["step"] == state.global_step:
                _load_renamed(model, found.path)
        # The Trainer looks at that after the first step, whose evaluation is none of the trial's.
        self._over = control.should_training_stop = self._is_over(args, state)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """Leave alone what was complete before."""
        if self._over:
            control.should_log = control.should_evaluate = control.should_save = False

    on_epoch_end = on_step_end

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """Have it saved."""
        self._have_saved(args, state, control)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **others: Any,
    ) -> None:
        """Have it saved, where nothing is evaluated."""
        if args.eval_strategy == "no" and "loss" in (logs or {}):
            self._have_saved(args, state, control)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """Report what was saved, and end where that was wanted."""
        if self._due == state.global_step:
            self._due = None
            if state.is_world_process_zero:
                best = [Path(state.best_model_checkpoint)] if state.best_model_checkpoint else []
                path = Path(args.output_dir, f"checkpoint-{state.global_step}")
                saved.report_saved(path, self._metrics(args, state), keep=best)
            control.should_training_stop |= self._is_over(args, state)

    def _have_saved(self, args: TrainingArguments, state: TrainerState, control: TrainerControl) -> None:
        if directory() is not None:
            self._due = state.global_step
            control.should_save = True
        elif state.is_world_process_zero:
            saved.report_saved(None, self._metrics(args, state))
            control.should_training_stop |= self._is_over(args, state)

    def _metrics(self, args: TrainingArguments, state: TrainerState) -> dict[str, float]:
        """What was logged at this step."""
        found: dict[str, Any] = {}
        for entry in reversed(state.log_history):
            if entry["step"] != state.global_step:
                break
            found = entry | found
        return saved.scalars(found) | {"step": state.global_step, "epoch": self._epoch(args, state)}

    def _is_over(self, args: TrainingArguments, state: TrainerState) -> bool:
        spent = self._epoch(args, state) if _in_epochs(args) else state.global_step
        return self._until is not None and spent >= self._until

    @staticmethod
    def _epoch(args: TrainingArguments, state: TrainerState) -> float:
        epoch = state.epoch or 0
        return round(epoch) if _in_epochs(args) else epoch


def _in_epochs(args: TrainingArguments) -> bool:
    """Is there one evaluation, or log, per epoch?"""
    strategy: str = args.logging_strategy if args.eval_strategy == "no" else args.eval_strategy
    return strategy == "epoch"


def _load_renamed(model: Any, folder: Path) -> None:
    """Weights that were saved under names that the model has not itself: the Trainer of transformers 5 leaves them out."""
    weights = folder / "model.safetensors"
    if isinstance(model, PreTrainedModel) and weights.exists():
        with safe_open(weights, "pt") as file:
            renamed = set(file.keys()) - set(model.state_dict())
        if renamed:
            model.load_state_dict(type(model).from_pretrained(folder).state_dict())
