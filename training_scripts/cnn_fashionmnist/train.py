"""A small convolutional network on few images of Fashion-MNIST: some minutes' worth of learning in a second or two.

Data:    of the training images of Fashion-MNIST (28x28 grey, ten classes; Xiao et al. 2017) the first 1,200 train and
         the next 800 validate, averaged to 14x14; the test set is never read. They lie in `{data}/FashionMNIST/raw/`,
         torchvision's layout, or come with Debian's package dataset-fashion-mnist.
Model:   two convolutions, each with ReLU and pooling, and a linear layer; Adam, its rate constant or falling by a cosine.
Metric:  `accuracy` on the validation part (maximise), after each epoch; `cpu_seconds` of training and validating until then.
Resume:  a run that ended at an earlier `--epochs` goes on from its checkpoint as if it had never stopped.
"""

import argparse
import gzip
import math
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hpo import checkpoint, report

# ---- Arguments -----------------------------------------------------------------------------------


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """One option per hyperparameter; the defaults make a good run."""
    formatter = argparse.ArgumentDefaultsHelpFormatter
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=summary, formatter_class=formatter, allow_abbrev=False)
    parser.add_argument("--epochs", type=int, default=27, help="the run ends by itself after this epoch")
    parser.add_argument("--total_epochs", type=int, default=27, help="of the whole plan, by which a cosine falls")
    parser.add_argument("--learning_rate", type=float, default=3e-3, help="of Adam")
    parser.add_argument("--schedule", choices=["constant", "cosine"], default="cosine", help="of the learning rate")
    parser.add_argument(
        "--channels", type=int, default=8, help="of the first convolution; the second has twice as many"
    )
    parser.add_argument("--kernel", type=int, default=3, help="width of both, in pixels: an odd number")
    parser.add_argument("--data", default="~/.cache/hpo", help="folder that holds FashionMNIST/raw")
    return parser.parse_args(argv)


# ---- Data ----------------------------------------------------------------------------------------

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
DEBIAN_PACKAGE = Path("/usr/share/datasets/fashion-mnist")  # apt-get install dataset-fashion-mnist
N_TRAIN, N_VALIDATION = 1200, 800


def read_first(data: Path, name: str, header: int, size: int) -> np.ndarray:
    """The first images or labels of a file, of `size` bytes each, behind its header."""
    for folder in (data / "FashionMNIST" / "raw", DEBIAN_PACKAGE):
        for suffix, opened in (("", Path.open), (".gz", gzip.open)):
            if (folder / f"{name}{suffix}").is_file():
                with opened(folder / f"{name}{suffix}", "rb") as file:
                    content = file.read(header + (N_TRAIN + N_VALIDATION) * size)
                return np.frombuffer(content, np.uint8, offset=header).reshape(-1, size)
    sys.exit(
        f"Fashion-MNIST is not there: put {IMAGES}.gz and {LABELS}.gz into {data / 'FashionMNIST' / 'raw'}, or install "
        f"Debian's package dataset-fashion-mnist"
    )


def load_data(data: Path) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images and labels, validation images and labels; images of shape (1, 14, 14) in [0, 1]."""
    pixels = torch.from_numpy(read_first(data, IMAGES, 16, 28 * 28).astype(np.float32)).view(-1, 1, 28, 28)
    images = F.avg_pool2d(pixels / 255, 2)
    labels = torch.from_numpy(read_first(data, LABELS, 8, 1)[:, 0].astype(np.int64))
    return images[:N_TRAIN], labels[:N_TRAIN], images[N_TRAIN:], labels[N_TRAIN:]


# ---- Training ------------------------------------------------------------------------------------


def build_model(args: argparse.Namespace) -> nn.Sequential:
    """14x14 pixels -> two times (convolution, ReLU, halving) -> ten logits."""
    return nn.Sequential(
        nn.Conv2d(1, args.channels, args.kernel, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(args.channels, 2 * args.channels, args.kernel, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * args.channels * 3 * 3, 10),
    )


def train_epoch(model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> None:
    """One pass over the training part in random order."""
    model.train()
    for batch in torch.randperm(len(images)).split(60):
        optimizer.zero_grad()
        F.cross_entropy(model(images[batch]), labels[batch]).backward()
        optimizer.step()


@torch.inference_mode()
def validate(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Accuracy. Of a diverged model (NaN logits) the prediction is class 0: chance level."""
    model.eval()
    return (model(images).argmax(dim=1) == labels).float().mean().item()


def main(argv: Sequence[str] | None = None) -> None:
    """Train until `--epochs`, from the checkpoint where there is one."""
    args = parse_args(argv)
    seed = int(os.environ.get("HPO_TRIAL_SEED", "0"))
    train_images, train_labels, validation_images, validation_labels = load_data(Path(args.data).expanduser())

    torch.manual_seed(seed)  # the initial weights
    model = build_model(args)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.learning_rate, fused=True)
    done, seconds = 0, 0.0
    state = checkpoint.load()
    if state is not None:
        # Again: a kill between the checkpoint and its report may have lost it, and what is known is dropped.
        report(**state["metrics"])
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        done, seconds = state["metrics"]["epoch"], state["metrics"]["cpu_seconds"]

    for epoch in range(done + 1, args.epochs + 1):
        began = time.process_time()
        # Randomness is a function of (seed, epoch) alone: a resumed run needs no generator state.
        torch.manual_seed(seed + 1_000_003 * epoch)
        if args.schedule == "cosine":
            for group in optimizer.param_groups:
                group["lr"] = args.learning_rate * 0.5 * (1 + math.cos(math.pi * (epoch - 1) / args.total_epochs))
        train_epoch(model, optimizer, train_images, train_labels)
        accuracy = validate(model, validation_images, validation_labels)
        seconds += time.process_time() - began
        metrics = {"epoch": epoch, "accuracy": accuracy, "cpu_seconds": seconds}
        checkpoint.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "metrics": metrics})
        report(**metrics)


if __name__ == "__main__":
    main()
