# In the shape of a training script of Ray's: argparse, and reports to Ray.
import argparse

from ray import train


def loop(config):
    for epoch in range(config["epochs"]):
        train.report({"epoch": epoch, "loss": config["lr"]})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--epochs", "-e", type=int, default=10)
    parser.add_argument("--num-workers", "-n", type=int, default=2)
    parser.add_argument("--use-gpu", action="store_true", default=False)
    loop(vars(parser.parse_args()))
