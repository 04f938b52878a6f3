# In the shape of a scikit-learn script: one report at the end.
import argparse

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score

import hpo

parser = argparse.ArgumentParser()
parser.add_argument("-n", "--n-estimators", type=int, default=20)
parser.add_argument("--max-depth", type=int, default=8)
parser.add_argument("--min-samples-split", type=int, default=2)
parser.add_argument("--criterion", choices=["gini", "entropy"], default="gini")
parser.add_argument("--cv", type=int, default=3)
parser.add_argument("--random-state", type=int, default=0)
args = parser.parse_args()

model = RandomForestClassifier(
    n_estimators=args.n_estimators, max_depth=args.max_depth, min_samples_split=args.min_samples_split,
    criterion=args.criterion, random_state=args.random_state,
)  # fmt: skip
data, target = load_digits(return_X_y=True)
hpo.report(accuracy=cross_val_score(model, data[:300], target[:300], cv=args.cv).mean())
