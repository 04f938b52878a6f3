"""Reports and checkpoints of training libraries: Lightning, Transformers, Keras, XGBoost, LightGBM, scikit-learn.

One module per library, which needs that library and is imported by the script that uses it. Each has a function
`resume`, which loads the last checkpoint, and something that saves and then reports: a callback, or for scikit-learn
the function `report`.
"""
