# In the shape of a Lightning script without its command line: arguments in groups, some from the model's class.
from argparse import ArgumentParser

import lightning as L

import hpo


class Classifier(L.LightningModule):
    @staticmethod
    def add_model_specific_args(parent_parser):
        parser = parent_parser.add_argument_group("model")
        parser.add_argument("--hidden_dim", type=int, default=128)
        parser.add_argument("--num_layers", type=int, default=2)
        parser.add_argument("--dropout", type=float, default=0.1)
        parser.add_argument("--learning_rate", type=float, default=0.0001)
        parser.add_argument("--weight_decay", type=float, default=0.0)
        return parent_parser


class Report(L.Callback):
    def on_validation_end(self, trainer, module):
        metrics = {"epoch": trainer.current_epoch + 1, "val_loss": trainer.callback_metrics["val_loss"].item()}
        metrics["val_acc"] = trainer.callback_metrics["val_acc"].item()
        hpo.report(**metrics)


def main():
    parser = ArgumentParser()
    parser.add_argument("--max_epochs", type=int, default=20)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--data_dir", type=str, required=True, help="where the images lie")
    parser.add_argument("--num_workers", type=int, default=4)
    parser.add_argument("--accelerator", default="auto")
    parser.add_argument("--seed", type=int, default=1234)
    parser = Classifier.add_model_specific_args(parser)
    args = parser.parse_args()
    L.seed_everything(args.seed)


if __name__ == "__main__":
    main()
