# In the shape of a LightGBM script whose training function is called by fire.
import fire

import hpo


def train(
    train_file: str,
    learning_rate: float = 0.1,
    num_leaves: int = 31,
    min_data_in_leaf: int = 20,
    feature_fraction: float = 0.9,
    lambda_l2: float = 0.0,
    num_iterations: int = 200,
    seed: int = 7,
    verbose: bool = False,
):
    """Boost trees."""
    for iteration in range(num_iterations):
        hpo.report({"iteration": iteration + 1, "valid_auc": 0.5 + learning_rate})


if __name__ == "__main__":
    fire.Fire(train)
