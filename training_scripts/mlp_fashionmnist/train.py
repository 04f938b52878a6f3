"""A perceptron with two hidden layers on Fashion-MNIST, the classic CPU benchmark of ASHA and its relatives.

Data:    the 60,000 training images (28x28 grey, ten classes) of Fashion-MNIST (Xiao et al. 2017): the first
         50,000 train, the last 10,000 validate; the test set is never read. Looked for in torchvision's
         layout (`{data}/FashionMNIST/raw/`), then in Debian's package dataset-fashion-mnist, else downloaded.
Model:   784 -> n_units_1 -> n_units_2 -> 10, dropout before each ReLU, Adam at a constant learning rate.
Metric:  `accuracy` on the validation part (maximise), after each epoch.
Resume:  a run that ended at an earlier `--epochs` goes on from its checkpoint as if it had never stopped.
Source:  search space, split and model follow the benchmark of the same name in Syne Tune.
"""

import argparse
import contextlib
import gzip
import math
import os
import struct
import sys
import tempfile
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
    parser.add_argument("--epochs", type=int, default=81, help="the run ends by itself after this epoch")
    parser.add_argument("--n_units_1", type=int, default=256, help="width of the first hidden layer")
    parser.add_argument("--n_units_2", type=int, default=128, help="width of the second hidden layer")
    parser.add_argument("--batch_size", type=int, default=64, help="images per step")
    parser.add_argument("--dropout_1", type=float, default=0.1, help="in the first hidden layer")
    parser.add_argument("--dropout_2", type=float, default=0.1, help="in the second hidden layer")
    parser.add_argument("--learning_rate", type=float, default=1e-3, help="of Adam")
    parser.add_argument("--weight_decay", type=float, default=1e-6, help="L2 penalty of Adam")
    parser.add_argument("--data", default="~/.cache/hpo", help="folder that holds FashionMNIST/raw")
    parser.add_argument(
        "--report_current_best", type=str.lower, choices=["false", "true"], default="false",
        help="report the best accuracy so far instead of this epoch's",
    )  # fmt: skip
    return parser.parse_args(argv)


# ---- Data ----------------------------------------------------------------------------------------

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
DEBIAN_PACKAGE = Path("/usr/share/datasets/fashion-mnist")  # apt-get install dataset-fashion-mnist


def find_files(data: Path) -> list[Path] | None:
    """The files of images and labels, raw or compressed, or None where no folder has both."""
    for folder in (data / "FashionMNIST" / "raw", DEBIAN_PACKAGE):
        for suffix in ("", ".gz"):
            files = [folder / f"{name}{suffix}" for name in (IMAGES, LABELS)]
            if all(file.is_file() for file in files):
                return files
    return None


def download(data: Path) -> None:
    """Fetch the data once, however many trials start together; the folder appears only when complete."""
    from filelock import FileLock
    from torchvision.datasets import FashionMNIST

    data.mkdir(parents=True, exist_ok=True)
    with FileLock(data / "FashionMNIST.lock"):
        if find_files(data) is not None:  # another trial was faster
            return
        with tempfile.TemporaryDirectory(dir=data) as folder, contextlib.redirect_stdout(sys.stderr):
            FashionMNIST(folder, download=True)
            (Path(folder) / "FashionMNIST").rename(data / "FashionMNIST")


def read_idx(file: Path) -> np.ndarray:
    """An array in IDX format: 0, 0, type (8 = bytes), number of axes, big-endian 32-bit sizes, the bytes."""
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    if content[:3] != b"\x00\x00\x08":
        sys.exit(f"{file} is not an IDX file of bytes; remove it to have Fashion-MNIST downloaded again")
    n_axes = content[3]
    shape = struct.unpack_from(f">{n_axes}I", content, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_axes).reshape(shape)


def load_data(data: Path, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images and labels, validation images and labels, on the device; images flat in [0, 1]."""
    files = find_files(data)
    if files is None:
        with contextlib.suppress(ImportError, OSError, RuntimeError):  # no torchvision, network, permission
            download(data)
        files = find_files(data)
    if files is None:
        sys.exit(
            f"Fashion-MNIST could not be downloaded: put {IMAGES}.gz and {LABELS}.gz into "
            f"{data / 'FashionMNIST' / 'raw'}, or install Debian's package dataset-fashion-mnist"
        )
    images = torch.from_numpy(read_idx(files[0]).astype(np.float32)).flatten(1).div_(255).to(device)
    labels = torch.from_numpy(read_idx(files[1]).astype(np.int64)).to(device)
    n_train = len(images) * 5 // 6  # 50,000 of 60,000
    return images[:n_train], labels[:n_train], images[n_train:], labels[n_train:]


# ---- Model ---------------------------------------------------------------------------------------


def build_model(args: argparse.Namespace) -> nn.Sequential:
    """784 pixels -> two times (linear, dropout, ReLU) -> ten logits."""
    return nn.Sequential(
        nn.Linear(784, args.n_units_1),
        nn.Dropout(args.dropout_1),
        nn.ReLU(),
        nn.Linear(args.n_units_1, args.n_units_2),
        nn.Dropout(args.dropout_2),
        nn.ReLU(),
        nn.Linear(args.n_units_2, 10),
    )


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
    train_images, train_labels, validation_images, validation_labels = load_data(Path(args.data).expanduser(), device)

    torch.manual_seed(seed)  # the initial weights
    model = build_model(args).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.learning_rate, weight_decay=args.weight_decay, fused=True)
    first_epoch, best = 1, 0.0
    state = checkpoint.load()
    if state is not None:
        metrics = state["metrics"]
        # Again: a kill between the checkpoint and its report may have lost it, and what is known is dropped.
        report(**metrics)
        if not math.isfinite(metrics["train_loss"]):
            return
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first_epoch, best = metrics["epoch"] + 1, state["best"]

    for epoch in range(first_epoch, args.epochs + 1):
        # Randomness is a function of (seed, epoch) alone: a resumed run needs no generator state.
        torch.manual_seed(seed + 1_000_003 * epoch)
        train_loss = train_epoch(model, optimizer, train_images, train_labels, args.batch_size)
        validation_loss, accuracy = validate(model, validation_images, validation_labels)
        best = max(best, accuracy)
        metrics = {
            "epoch": epoch,
            "accuracy": best if args.report_current_best == "true" else accuracy,
            "train_loss": train_loss,
            "validation_loss": validation_loss,
        }
        checkpoint.save(
            {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "metrics": metrics,
                "best": best,
            }
        )
        report(**metrics)
        if not math.isfinite(train_loss):  # diverged: the weights are NaN and stay so
            break


if __name__ == "__main__":
    main()
