import argparse

LR = 1e-3


def get_parser():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=10 * LR)
    parser.add_argument("--epochs", type=int, default=3)
    return parser


if __name__ == "__main__":
    other = argparse.ArgumentParser()
    other.add_argument("--depth", type=int, default=3)
