# In the shape of a Keras script whose arguments are absl's.
import keras
from absl import app, flags

import hpo

FLAGS = flags.FLAGS
flags.DEFINE_float("learning_rate", 1e-3, "Adam's.")
flags.DEFINE_integer("batch_size", 128, "Images at a time.")
flags.DEFINE_integer("epochs", 15, "Passes over the data.")
flags.DEFINE_float("dropout_rate", 0.5, "Before the last layer.")
flags.DEFINE_integer("filters", 32, "Of the first convolution.")
flags.DEFINE_enum("activation", "relu", ["relu", "gelu"], "Of the hidden layers.")
flags.DEFINE_bool("augment", False, "Shift and flip images?")
flags.DEFINE_string("data_dir", "data", "Where the images lie.")


class Report(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        hpo.report(epoch=epoch + 1, loss=logs["loss"], val_accuracy=logs["val_accuracy"])


def main(_):
    keras.utils.set_random_seed(1)


if __name__ == "__main__":
    app.run(main)
