# Names of options are computed: only its help shows them.
import argparse

import hpo

DEFAULTS = {"lr": 0.1, "width": 16, "epochs": 3}
parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
for name, value in DEFAULTS.items():
    parser.add_argument(f"--{name}", type=type(value), default=value, help=f"the {name}")
args = parser.parse_args()
for epoch in range(1, args.epochs + 1):
    hpo.report(epoch=epoch, loss=args.lr / epoch)
