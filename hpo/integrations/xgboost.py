"""XGBoost: `model, left = resume(rounds)`, then `train(..., left, xgb_model=model, callbacks=[XGBoostReport()])`."""

from collections.abc import Mapping
from typing import Any

import xgboost

from hpo.integrations import saved


def resume(rounds: int) -> tuple[str | None, int]:
    """The model to go on with, and how many rounds it lacks; its metrics are reported again.

    Args:
        rounds: of the whole training.

    Returns:
        the file of the model (`xgb_model=`), None at the first attempt; the rounds that are left (`num_boost_round`).

    Raises:
        ValueError: what was saved is damaged.
    """
    found = saved.resume()
    return (None, rounds) if found is None else (str(found.path), max(rounds - found.metrics["round"], 0))


class XGBoostReport(xgboost.callback.TrainingCallback):
    """Saves the model, then reports `round`, counted from 1, and the metrics of each evaluated set: `valid-logloss`.

    Args:
        every: after so many rounds, and after the last. A model grows with its rounds, and so does what it takes to save it.
    """

    def __init__(self, every: int = 1) -> None:
        self._every = every
        self._due: dict[str, Any] | None = None

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Any]]) -> bool:
        """Save and report, if it is time to; the training goes on."""
        values = {f"{data}-{name}": all_[-1] for data, metrics in evals_log.items() for name, all_ in metrics.items()}
        # Of a cross-validation: mean and deviation.
        means = {name: value[0] if isinstance(value, tuple) else value for name, value in values.items()}
        self._due = saved.scalars(means) | {"round": model.num_boosted_rounds()}
        if self._due["round"] % self._every == 0:
            self.after_training(model)
        return False

    def after_training(self, model: Any) -> Any:
        """Save and report the last round."""
        if self._due is not None:
            due, self._due = self._due, None
            if isinstance(model, xgboost.Booster):
                saved.save_and_report(f"round-{due['round']}.ubj", model.save_model, due)
            else:  # the models of a cross-validation, which cannot be gone on with
                saved.report_saved(None, due)
        return model
