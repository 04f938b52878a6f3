"""What training libraries need to report and to checkpoint: Lightning, Transformers, Keras, XGBoost, LightGBM, scikit-learn.

One module per library, which needs that library and is loaded by the script that uses it. Each has `resume`, which finds
what was saved, and something that saves and then reports: a callback, or for scikit-learn the function `report`.
"""
