# In the shape of an XGBoost script: rounds are reported by a callback.
import argparse

import hpo


def parse_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--eta", type=float, default=0.3)
    parser.add_argument("--max_depth", type=int, default=6)
    parser.add_argument("--min_child_weight", type=float, default=1)
    parser.add_argument("--subsample", type=float, default=1.0)
    parser.add_argument("--colsample_bytree", type=float, default=1.0)
    parser.add_argument("--reg_lambda", type=float, default=1.0)
    parser.add_argument("--gamma", type=float, default=0)
    parser.add_argument("--num_boost_round", type=int, default=100)
    parser.add_argument("--nthread", type=int, default=2)
    parser.add_argument("--objective", default="binary:logistic")
    return parser.parse_args()


def main():
    args = parse_args()
    for number in range(1, args.num_boost_round + 1):
        hpo.report(round=number, logloss=(args.eta - 0.1) ** 2 + 1 / number)


if __name__ == "__main__":
    main()
