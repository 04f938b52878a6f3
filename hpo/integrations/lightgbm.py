"""LightGBM: `model, left = resume(rounds)`, then `train(..., left, init_model=model, callbacks=[LightGBMReport()])`."""

from typing import Any

import lightgbm

from hpo.integrations import saved


def resume(rounds: int) -> tuple[Any, int]:
    """The model to go on with, and how many rounds it lacks, at least one; its metrics are reported again.

    Args:
        rounds: of the whole training.

    Returns:
        the model (`init_model=`), None at the first attempt; the rounds that are left (`num_boost_round`).

    Raises:
        ValueError: what was saved is damaged.
    """
    found = saved.find()
    if found is not None and found.metrics["round"] < rounds:
        saved.resume()
        return str(found.path), rounds - found.metrics["round"]
    if found is None or rounds == 1:
        return None, rounds
    # LightGBM refuses to train no round: a model that lacks none does its last one again, and reports it then.
    complete = lightgbm.Booster(model_file=str(found.path))
    return lightgbm.Booster(model_str=complete.model_to_string(num_iteration=rounds - 1)), 1


class LightGBMReport:
    """Saves the model, then reports `round`, counted from 1, and the metrics of each evaluated set: `valid_0-auc`.

    Args:
        every: after so many rounds, and after the last. A model grows with its rounds, and so does what it takes to save it.
    """

    order = 20
    """Among the callbacks: before one that stops early."""

    def __init__(self, every: int = 1) -> None:
        self._every = every

    def __call__(self, env: Any) -> None:
        """After a round."""
        done = env.iteration + 1
        if done % self._every == 0 or done == env.end_iteration:
            values = {f"{data}-{name}": value for data, name, value, *_ in env.evaluation_result_list or ()}
            metrics = saved.scalars(values) | {"round": done}
            if isinstance(env.model, lightgbm.Booster):
                saved.save_and_report(
                    f"round-{done}.txt", lambda path: env.model.save_model(path, num_iteration=-1), metrics
                )
            else:  # the models of a cross-validation, which cannot be gone on with
                saved.report_saved(None, metrics)
