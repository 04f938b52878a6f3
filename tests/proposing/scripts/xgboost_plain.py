# In the shape of an XGBoost script that leaves the reporting to train.
import argparse

import xgboost

parser = argparse.ArgumentParser()
parser.add_argument("--eta", type=float, default=0.3)
parser.add_argument("--num_boost_round", type=int, default=10)
args = parser.parse_args()
params = {"eta": args.eta, "eval_metric": ["logloss", "auc"]}
watched = [(None, "train"), (None, "eval")]
xgboost.train(params, None, args.num_boost_round, evals=watched)
