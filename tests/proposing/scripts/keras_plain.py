# In the shape of a Keras script that leaves the reporting to fit.
import sys

import keras

width, epochs = int(sys.argv[1]), int(sys.argv[2])
model = keras.Sequential([keras.layers.Dense(width, activation="relu"), keras.layers.Dense(1)])
model.compile(loss="mse", optimizer="adam", metrics=["mae"])
model.fit([[0.0]], [[0.0]], epochs=epochs, validation_split=0.5)
print("Test loss:", model.evaluate([[0.0]], [[0.0]])[0])
