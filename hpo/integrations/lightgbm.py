"""LightGBM: `model, left = resume(rounds)`, then `train(..., left, init_model=model, callbacks=[LightGBMReport()])`."""

from typing import Any

import lightgbm

from hpo.integrations import library_checkpoint


def resume(rounds: int) -> tuple[Any, int]:
    """Return the last saved model and the number of rounds that it lacks, at least one; its metrics are reported again.

    Args:
        rounds: Number of rounds of the whole training.

    Returns:
        Model for `init_model`, None in the first attempt; number of remaining rounds for `num_boost_round`.

    Raises:
        ValueError: The checkpoint is damaged.
    """
    found = library_checkpoint.find_checkpoint()
    if found is not None and found.metrics["round"] < rounds:
        library_checkpoint.resume()
        return str(found.path), rounds - found.metrics["round"]
    if found is None or rounds == 1:
        return None, rounds
    # LightGBM refuses to train zero rounds: a complete model repeats its last round, and reports it then.
    complete = lightgbm.Booster(model_file=str(found.path))
    return lightgbm.Booster(model_str=complete.model_to_string(num_iteration=rounds - 1)), 1


class LightGBMReport:
    """A LightGBM callback that saves the model, then reports `round`, from 1, and the metrics of each evaluation set.

    The name of a reported metric is, for example, `valid_0-auc`.

    Args:
        every: Number of rounds between saves; the last round is always saved. A larger model takes longer to save.
    """

    order = 20
    """Position among the callbacks: before early stopping."""

    def __init__(self, every: int = 1) -> None:
        self._every = every

    def __call__(self, env: Any) -> None:
        """Save and report after a round, if it is due."""
        done = env.iteration + 1
        if done % self._every == 0 or done == env.end_iteration:
            values = {f"{data}-{name}": value for data, name, value, *_ in env.evaluation_result_list or ()}
            metrics = library_checkpoint.scalars(values) | {"round": done}
            if isinstance(env.model, lightgbm.Booster):
                library_checkpoint.save_and_report(
                    f"round-{done}.txt", lambda path: env.model.save_model(path, num_iteration=-1), metrics
                )
            else:  # models of a cross-validation, which cannot be resumed
                library_checkpoint.report_saved(None, metrics)
