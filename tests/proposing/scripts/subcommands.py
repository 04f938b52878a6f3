# argparse with subparsers and a parser that both inherit from.
import argparse

import hpo

common = argparse.ArgumentParser(add_help=False)
common.add_argument("--hidden", type=int, default=64)
parser = argparse.ArgumentParser()
parser.add_argument("--verbose", action="store_true")
commands = parser.add_subparsers(dest="command")
p = commands.add_parser("train", parents=[common])
p.add_argument("--lr", type=float, default=0.1)
p.add_argument("--epochs", type=int, default=4)
p = commands.add_parser("predict", parents=[common])
p.add_argument("--input", required=True)
arguments = parser.parse_args()
for epoch in range(1, arguments.epochs + 1):
    hpo.report(epoch=epoch, loss=arguments.lr / epoch)
