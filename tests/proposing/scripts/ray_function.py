# In the shape of an example of Ray Tune: the search space is in the script, and there are no arguments.
from ray import tune


def objective(config):
    for step in range(10):
        tune.report({"step": step, "mean_loss": config["lr"] / (step + 1)})


tuner = tune.Tuner(objective, param_space={"lr": tune.loguniform(1e-4, 1e-1)})
tuner.fit()
