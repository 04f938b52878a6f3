"""XGBoost: `model, left = resume(rounds)`, then `train(..., left, xgb_model=model, callbacks=[XGBoostReport()])`."""

from collections.abc import Mapping
from typing import Any

import xgboost

from hpo.integrations import library_checkpoint


def resume(rounds: int) -> tuple[str | None, int]:
    """Return the last saved model and the number of rounds that it lacks; its metrics are reported again.

    Args:
        rounds: Number of rounds of the whole training.

    Returns:
        Model file for `xgb_model`, None in the first attempt; number of remaining rounds for `num_boost_round`.

    Raises:
        ValueError: The checkpoint is damaged.
    """
    found = library_checkpoint.resume()
    return (None, rounds) if found is None else (str(found.path), max(rounds - found.metrics["round"], 0))


class XGBoostReport(xgboost.callback.TrainingCallback):
    """An XGBoost callback that saves the model, then reports `round`, from 1, and the metrics of each evaluation set.

    The name of a reported metric is, for example, `valid-logloss`.

    Args:
        every: Number of rounds between saves; the last round is always saved. A larger model takes longer to save.
    """

    def __init__(self, every: int = 1) -> None:
        self._every = every
        self._due: dict[str, Any] | None = None

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Any]]) -> bool:
        """Save and report if the round is due, and let the training continue."""
        values = {f"{data}-{name}": all_[-1] for data, metrics in evals_log.items() for name, all_ in metrics.items()}
        # In a cross-validation a value is a tuple of mean and deviation.
        means = {name: value[0] if isinstance(value, tuple) else value for name, value in values.items()}
        self._due = library_checkpoint.scalars(means) | {"round": model.num_boosted_rounds()}
        if self._due["round"] % self._every == 0:
            self.after_training(model)
        return False

    def after_training(self, model: Any) -> Any:
        """Save and report the last round, if it has not been saved."""
        if self._due is not None:
            due, self._due = self._due, None
            if isinstance(model, xgboost.Booster):
                library_checkpoint.save_and_report(f"round-{due['round']}.ubj", model.save_model, due)
            else:  # models of a cross-validation, which cannot be resumed
                library_checkpoint.report_saved(None, due)
        return model
