# In the shape of an example of Ray Tune: the search space is in the script, and there are no arguments to tune.
import argparse

from ray import tune


def objective(config):
    for step in range(config["steps"]):
        tune.report({"iterations": step, "mean_loss": config["lr"] / (step + 1)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke-test", action="store_true")
    args = parser.parse_args()
    tuner = tune.Tuner(
        tune.with_resources(objective, {"cpu": 1}),
        tune_config=tune.TuneConfig(metric="mean_loss", mode="min", num_samples=5),
        param_space={
            "steps": 5 if args.smoke_test else 100,
            "lr": tune.loguniform(1e-4, 1e-1),
            "layers": tune.randint(1, 5),
            "activation": tune.grid_search(["relu", "tanh"]),
        },
    )
    tuner.fit()
