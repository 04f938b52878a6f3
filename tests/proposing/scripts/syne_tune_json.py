# In the shape of a script for Syne Tune whose arguments come in a file.
from argparse import ArgumentParser

from syne_tune import Reporter
from syne_tune.config_space import choice, finrange, lograndint, randint
from syne_tune.utils import add_config_json_to_argparse, load_config_json

STEPS = "steps"


def space(steps):
    return {
        STEPS: steps,
        "width": randint(0, 20),
        "units": lograndint(lower=8, upper=64),
        "dropout": finrange(0.0, 0.8, 5),
        "kind": choice(["a", "b"]),
        "sizes": [1, 2],
    }


parser = ArgumentParser()
add_config_json_to_argparse(parser)
config = load_config_json(vars(parser.parse_args()))
report = Reporter()
for step in range(config[STEPS]):
    report(step=step, mean_loss=config["width"], epoch=step + 1)
