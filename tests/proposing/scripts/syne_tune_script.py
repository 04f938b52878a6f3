# In the shape of an example of Syne Tune.
import argparse
import logging
import time

from syne_tune import Reporter

if __name__ == "__main__":
    logging.getLogger().setLevel(logging.INFO)
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--width", type=float)
    parser.add_argument("--height", type=float)
    parser.add_argument("--sleep_time", type=float, default=0.1)
    args, _ = parser.parse_known_args()
    report = Reporter()
    for step in range(args.epochs):
        time.sleep(args.sleep_time)
        report(epoch=step + 1, mean_loss=1.0 / (0.1 + args.width * step / 100) + args.height * 0.1)
