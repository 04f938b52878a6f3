"""A multi-layer perceptron on scikit-learn's handwritten digits: real training in milliseconds per epoch.

Data:    1797 grey images of 8x8 pixels in ten classes, shipped inside scikit-learn (UCI, Optical Recognition
         of Handwritten Digits). 60 % train, 20 % validate; 20 % are kept for a final test, unused here.
Model:   1-3 hidden layers of equal width with dropout, trained by AdamW or SGD at a constant learning rate.
Metric:  `accuracy` on the validation part (maximise), after each epoch.
Resume:  a run that ended at an earlier `--epochs` goes on from its checkpoint as if it had never stopped; from there it may
         have another learning rate, weight decay, momentum, beta2 or dropout.
"""

import argparse
import importlib.util
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hpo import checkpoint, report

# ---- Arguments -----------------------------------------------------------------------------------

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """One option per hyperparameter; the defaults make a good run."""
    formatter = argparse.ArgumentDefaultsHelpFormatter
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=summary, formatter_class=formatter, allow_abbrev=False)
    parser.add_argument("--epochs", type=int, default=27, help="the run ends by itself after this epoch")
    parser.add_argument("--optimizer", choices=["adamw", "sgd"], default="adamw", help="which update rule")
    parser.add_argument("--learning_rate", type=float, default=3e-3, help="of either")
    parser.add_argument("--n_units", type=int, default=128, help="width of each hidden layer")
    parser.add_argument("--n_layers", type=int, default=2, help="number of hidden layers")
    parser.add_argument("--dropout", type=float, default=0.3, help="after each hidden layer")
    parser.add_argument(
        "--weight_decay", type=float, default=1e-4, help="decoupled with AdamW, in the gradient with SGD"
    )
    parser.add_argument("--momentum", type=float, help="of SGD, which has none unless given")
    parser.add_argument("--beta2", type=float, help="of AdamW, 0.999 unless given")
    parser.add_argument("--batch_size", type=int, default=32, help="images per step")
    parser.add_argument("--activation", choices=sorted(ACTIVATIONS), default="gelu", help="nonlinearity")
    args = parser.parse_args(argv)
    for option, owner in (("momentum", "sgd"), ("beta2", "adamw")):
        if getattr(args, option) is not None and args.optimizer != owner:
            parser.error(f"--{option}={getattr(args, option)}: only --optimizer={owner} has it")
    return args


# ---- Data ----------------------------------------------------------------------------------------


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """Pixels (0 to 16) and labels. Reading the file takes milliseconds, importing scikit-learn a second."""
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        sys.exit("mlp_digits reads the digits that ship inside scikit-learn: pip install scikit-learn")
    file = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if file.is_file():
        table = np.loadtxt(file, delimiter=",", dtype=np.float32)
        return table[:, :-1], table[:, -1].astype(np.int64)
    from sklearn import datasets  # a version that keeps its file elsewhere

    pixels, labels = datasets.load_digits(return_X_y=True)
    return pixels.astype(np.float32), labels.astype(np.int64)


def split_digits(pixels: np.ndarray, labels: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images and labels, validation images and labels; stratified, the same for every seed."""
    is_class = labels[:, None] == np.arange(10)
    rank = is_class.cumsum(axis=0)[is_class] - 1  # image i is the rank[i]-th of its class
    train, validation = rank % 5 < 3, rank % 5 == 3  # rank % 5 == 4 is the test part
    images = torch.from_numpy(pixels / 16.0).to(device)
    targets = torch.from_numpy(labels).to(device)
    return images[train], targets[train], images[validation], targets[validation]


# ---- Model ---------------------------------------------------------------------------------------


def build_model(args: argparse.Namespace) -> nn.Sequential:
    """64 pixels -> `n_layers` times (linear, activation, dropout) -> ten logits."""
    layers: list[nn.Module] = []
    width = 64
    for _ in range(args.n_layers):
        layers += [nn.Linear(width, args.n_units), ACTIVATIONS[args.activation](), nn.Dropout(args.dropout)]
        width = args.n_units
    return nn.Sequential(*layers, nn.Linear(width, 10))


def build_optimizer(args: argparse.Namespace, model: nn.Module) -> torch.optim.Optimizer:
    """Over all parameters of the model."""
    if args.optimizer == "sgd":
        return torch.optim.SGD(model.parameters(), **rates(args))
    return torch.optim.AdamW(model.parameters(), fused=True, **rates(args))


def rates(args: argparse.Namespace) -> dict[str, Any]:
    """What the optimizer is told: by PyTorch's names, and changeable in the middle of a training."""
    own: dict[str, Any] = {"betas": (0.9, 0.999 if args.beta2 is None else args.beta2)}
    if args.optimizer == "sgd":
        own = {"momentum": args.momentum or 0.0}
    return {"lr": args.learning_rate, "weight_decay": args.weight_decay, **own}


# ---- Training ------------------------------------------------------------------------------------


def train_epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor, batch_size: int
) -> float:
    """One pass over the training part in random order; the mean loss, non-finite where training diverged."""
    model.train()
    total = torch.zeros((), device=images.device)  # on the device: reading it each step would stall a GPU
    for batch in torch.randperm(len(images), device=images.device).split(batch_size):
        loss = F.cross_entropy(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(batch)
    return total.item() / len(images)


@torch.inference_mode()
def validate(model: nn.Module, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean loss and accuracy. Of a diverged model (NaN logits) the prediction is class 0: chance level."""
    model.eval()
    logits = model(images)
    return F.cross_entropy(logits, labels).item(), (logits.argmax(dim=1) == labels).float().mean().item()


def main(argv: Sequence[str] | None = None) -> None:
    """Train until `--epochs`, from the checkpoint where there is one."""
    args = parse_args(argv)
    seed = int(os.environ.get("HPO_TRIAL_SEED", "0"))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train_images, train_labels, validation_images, validation_labels = split_digits(*load_digits(), device)

    torch.manual_seed(seed)  # the initial weights
    model = build_model(args).to(device)
    optimizer = build_optimizer(args, model)
    first_epoch = 1
    state = checkpoint.load()
    if state is not None:
        metrics = state["metrics"]
        # Again: a kill between the checkpoint and its report may have lost it, and what is known is dropped.
        report(**metrics)
        if not math.isfinite(metrics["train_loss"]):
            return
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        for group in optimizer.param_groups:
            group.update(rates(args))  # the state has brought back those that it was saved with
        first_epoch = metrics["epoch"] + 1

    for epoch in range(first_epoch, args.epochs + 1):
        # Randomness is a function of (seed, epoch) alone: a resumed run needs no generator state.
        torch.manual_seed(seed + 1_000_003 * epoch)
        train_loss = train_epoch(model, optimizer, train_images, train_labels, args.batch_size)
        validation_loss, accuracy = validate(model, validation_images, validation_labels)
        metrics = {
            "epoch": epoch,
            "accuracy": accuracy,
            "train_loss": train_loss,
            "validation_loss": validation_loss,
        }
        checkpoint.save(
            {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "metrics": metrics,
            }
        )
        report(**metrics)
        if not math.isfinite(train_loss):  # diverged: the weights are NaN and stay so
            break


if __name__ == "__main__":
    main()
