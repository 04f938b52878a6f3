"""ResNet-18 on CIFAR-10, the GPU benchmark of the set.

Data:    the 50,000 training images (32x32 RGB, ten classes) of CIFAR-10 (Krizhevsky 2009): the first 40,000
         train, the last 10,000 validate; the test set is never read. Looked for in the binary version
         (`{data}/cifar-10-batches-bin/data_batch_*.bin`; smaller sets are split 80/20 as well), then in the
         Python version (`{data}/cifar-10-batches-py`), which is downloaded where it is missing.
Model:   ResNet-18 (He et al. 2016) with a 3x3 stem and without the first pooling, as usual for 32x32 images;
         SGD with momentum; the learning rate falls to a tenth after epoch 25 and again after epoch 40.
         Training images are cropped at random from a zero border of 4 pixels and flipped at random.
         Products are in half precision where the device has it in hardware: float16 on a GPU, bfloat16 on
         some CPUs. Another kind of machine therefore gives slightly other metrics.
Metric:  `accuracy` on the validation part (maximise), after each epoch.
Resume:  a run that ended at an earlier `--epochs` goes on from its checkpoint as if it had never stopped
         (to the last bit on the CPU; cuDNN promises no such thing).
Source:  search space, split and model follow the benchmark of the same name in Syne Tune.
"""

import argparse
import contextlib
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import resnet18

from hpo import checkpoint, report

# ---- Arguments -----------------------------------------------------------------------------------


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """One option per hyperparameter; the defaults make a good run."""
    formatter = argparse.ArgumentDefaultsHelpFormatter
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=summary, formatter_class=formatter, allow_abbrev=False)
    parser.add_argument("--epochs", type=int, default=27, help="the run ends by itself after this epoch")
    parser.add_argument("--batch_size", type=int, default=128, help="images per step")
    parser.add_argument("--momentum", type=float, default=0.9, help="of SGD")
    parser.add_argument("--weight_decay", type=float, default=5e-4, help="L2 penalty of SGD")
    parser.add_argument("--lr", type=float, default=0.05, help="learning rate of the first 25 epochs")
    parser.add_argument("--data", default="~/.cache/hpo", help="folder of cifar-10-batches-bin or -py")
    return parser.parse_args(argv)


# ---- Data ----------------------------------------------------------------------------------------

BORDER = 4  # zero pixels around a training image, from which crops of the original size are taken


def read_binary_version(data: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Images (N, 32, 32, 3) and labels, or None: each record is a label byte and 3 planes of 32x32 pixels."""
    files = sorted((data / "cifar-10-batches-bin").glob("data_batch_*.bin"))
    if not files:
        return None
    records = np.concatenate([np.fromfile(file, np.uint8) for file in files]).reshape(-1, 1 + 3 * 32 * 32)
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0]


def read_python_version(data: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Images and labels, or None. torchvision unpickles the files only after their MD5 sums proved right."""
    from filelock import FileLock
    from torchvision.datasets import CIFAR10

    with contextlib.redirect_stdout(sys.stderr):
        try:
            dataset = CIFAR10(data)
        except RuntimeError:  # absent, or half written by another trial that is downloading
            try:
                data.mkdir(parents=True, exist_ok=True)
                with FileLock(data / "CIFAR10.lock"):
                    dataset = CIFAR10(data, download=True)  # fetches nothing if the files are complete by now
            except (OSError, RuntimeError):  # no network, no permission
                return None
    return dataset.data, np.array(dataset.targets)


def load_data(data: Path, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images and labels, validation images and labels, on the device; training images with a border.

    Images are bytes, N x H x W x C.
    """
    arrays = read_binary_version(data) or read_python_version(data)
    if arrays is None:
        sys.exit(
            "CIFAR-10 could not be downloaded: unpack cifar-10-binary.tar.gz or cifar-10-python.tar.gz from "
            f"https://www.cs.toronto.edu/~kriz/cifar.html in {data}"
        )
    images = torch.from_numpy(np.ascontiguousarray(arrays[0])).to(device)
    labels = torch.from_numpy(arrays[1].astype(np.int64)).to(device)
    n_train = len(images) * 4 // 5  # 40,000 of 50,000
    bordered = F.pad(images[:n_train], (0, 0, BORDER, BORDER, BORDER, BORDER))
    return bordered, labels[:n_train], images[n_train:], labels[n_train:]


def augmented(bordered: Tensor, batch: Tensor) -> Tensor:
    """A random crop of each image of the batch, every other one flipped: one gather, no loop over images."""
    device, n, width = bordered.device, len(batch), bordered.shape[1]
    size = width - 2 * BORDER
    corner = torch.randint(2 * BORDER + 1, (2, n, 1), device=device)
    rows, columns = corner + torch.arange(size, device=device)
    columns = torch.where(torch.rand(n, 1, device=device) < 0.5, columns.flip(1), columns)
    pixels = (batch[:, None, None] * width + rows[:, :, None]) * width + columns[:, None, :]
    # Of all pixels in one line: three times as fast on a CPU as an index for each dimension.
    return bordered.flatten(0, 2).index_select(0, pixels.flatten()).view(n, size, size, 3)


# ---- Model ---------------------------------------------------------------------------------------


def fast_precision(device: torch.device) -> torch.dtype:
    """The precision of the matrix products: half where the device multiplies halves in hardware, else single."""
    if device.type == "cuda":
        return torch.float16
    cpu = Path("/proc/cpuinfo")
    flags = cpu.read_text() if cpu.exists() else ""
    return torch.bfloat16 if "avx512_bf16" in flags or "amx_bf16" in flags else torch.float32


class ImageClassifier(nn.Module):
    """ResNet-18 that takes bytes (N x H x W x C) and returns ten logits.

    Scaling happens here so that only bytes travel between GPUs, and N x H x W x C is already channels-last.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.precision = precision
        self.network = resnet18(weights=None, num_classes=10)
        self.network.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
        self.network.maxpool = nn.Identity()
        self.register_buffer("mean", 255 * torch.tensor([0.4914, 0.4822, 0.4465]), persistent=False)
        self.register_buffer("std", 255 * torch.tensor([0.2023, 0.1994, 0.2010]), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits in single precision."""
        pixels = ((images - self.mean) / self.std).permute(0, 3, 1, 2)
        # Within `forward`, because DataParallel's threads do not see the caller's precision.
        with torch.autocast(images.device.type, self.precision, enabled=self.precision != torch.float32):
            return self.network(pixels).float()


# ---- Training ------------------------------------------------------------------------------------


def learning_rate(initial: float, epoch: int) -> float:
    """A step schedule that knows nothing of `--epochs`, so that a run may be continued later."""
    return initial * 0.1 ** sum(epoch > milestone for milestone in (25, 40))


def train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    bordered: Tensor,
    labels: Tensor,
    batch_size: int,
) -> float:
    """One pass over the training part in random order; the mean loss, non-finite where training diverged."""
    model.train()
    total = torch.zeros((), device=labels.device)  # on the device: reading it each step would stall a GPU
    for batch in torch.randperm(len(labels), device=labels.device).split(batch_size):
        loss = F.cross_entropy(model(augmented(bordered, batch)), labels[batch])
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        total += loss.detach() * len(batch)
    return total.item() / len(labels)


@torch.inference_mode()
def validate(model: nn.Module, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean loss and accuracy. Of a diverged model (NaN logits) the prediction is class 0: chance level."""
    model.eval()
    logits = torch.cat([model(batch) for batch in images.split(500)])
    return F.cross_entropy(logits, labels).item(), (logits.argmax(dim=1) == labels).float().mean().item()


def main(argv: Sequence[str] | None = None) -> None:
    """Train until `--epochs`, from the checkpoint where there is one."""
    args = parse_args(argv)
    seed = int(os.environ.get("HPO_TRIAL_SEED", "0"))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True  # all batches but the last have one shape
    bordered, train_labels, validation_images, validation_labels = load_data(Path(args.data).expanduser(), device)

    torch.manual_seed(seed)  # the initial weights
    model = ImageClassifier(fast_precision(device)).to(device, memory_format=torch.channels_last)
    replicas = nn.DataParallel(model) if torch.cuda.device_count() > 1 else model
    optimizer = torch.optim.SGD(
        model.parameters(), lr=args.lr, momentum=args.momentum, weight_decay=args.weight_decay, fused=True
    )
    scaler = torch.amp.GradScaler("cuda", enabled=device.type == "cuda")  # half-precision gradients underflow
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
        scaler.load_state_dict(state["scaler"])
        first_epoch = metrics["epoch"] + 1

    for epoch in range(first_epoch, args.epochs + 1):
        # Randomness is a function of (seed, epoch) alone: a resumed run needs no generator state.
        torch.manual_seed(seed + 1_000_003 * epoch)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(args.lr, epoch)
        train_loss = train_epoch(replicas, optimizer, scaler, bordered, train_labels, args.batch_size)
        validation_loss, accuracy = validate(replicas, validation_images, validation_labels)
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
                "scaler": scaler.state_dict(),
                "metrics": metrics,
            }
        )
        report(**metrics)
        if not math.isfinite(train_loss):  # diverged: the weights are NaN and stay so
            break


if __name__ == "__main__":
    main()
