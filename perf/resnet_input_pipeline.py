"""Epochs per second of resnet_cifar10 against the usual way of training it, and the accuracy that both come to.

    apt-get install dataset-fashion-mnist
    python perf/resnet_input_pipeline.py

The usual way, also that of Syne Tune's script: torchvision's transforms on one PIL image at a time in a DataLoader with
`num_workers=0`, single precision, the default memory layout. The script's way: bytes that stay on the device, batched
augmentation, channels-last, half precision where the device has it. Both see the same images (Fashion-MNIST, enlarged to
32x32 and three colours, for CIFAR-10 is not on every machine), the same initial weights and hyperparameters. Epochs
of the two ways alternate, so that a busy machine slows both.
"""

import argparse
import gzip
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

ROOT = Path(__file__).resolve().parents[1]
FASHION = Path("/usr/share/datasets/fashion-mnist")
BATCH_SIZE = 64
LEARNING_RATE = 0.02


def load_training_script() -> ModuleType:
    """The script itself, so that its own functions are timed."""
    file = ROOT / "training_scripts" / "resnet_cifar10" / "train.py"
    spec = importlib.util.spec_from_file_location("train", file)
    if spec is None or spec.loader is None:
        sys.exit(f"{file} is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class PerImage(Dataset):
    """One image at a time through PIL, as torchvision's own CIFAR10 class does it."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = images, labels
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])


def fashion(first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Training images of Fashion-MNIST as N x 32 x 32 x 3 bytes, and their labels."""
    if not FASHION.is_dir():
        sys.exit(f"{FASHION} is missing: apt-get install dataset-fashion-mnist")
    with gzip.open(FASHION / "train-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)[first:last]
    with gzip.open(FASHION / "train-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)[first:last]
    grey = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    return np.repeat(grey[..., None], 3, axis=3), labels.astype(np.int64)


class ScriptsWay:
    """The functions of the script itself."""

    def __init__(self, script: ModuleType, images: np.ndarray, labels: np.ndarray, device: torch.device) -> None:
        self.script, self.device = script, device
        self.model = script.ImageClassifier(script.fast_precision(device)).to(device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=LEARNING_RATE, momentum=0.9, fused=True)
        self.scaler = torch.amp.GradScaler("cuda", enabled=device.type == "cuda")
        border = script.BORDER
        self.images = F.pad(torch.from_numpy(images).to(device), (0, 0, border, border, border, border))
        self.labels = torch.from_numpy(labels).to(device)

    def train(self) -> None:
        self.script.train_epoch(self.model, self.optimizer, self.scaler, self.images, self.labels, BATCH_SIZE)

    def read(self) -> None:
        for batch in torch.randperm(len(self.labels), device=self.device).split(BATCH_SIZE):
            self.script.augmented(self.images, batch)


class UsualWay:
    """One image at a time, single precision."""

    def __init__(self, script: ModuleType, images: np.ndarray, labels: np.ndarray, device: torch.device) -> None:
        self.device = device
        self.model = script.ImageClassifier().to(device)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=LEARNING_RATE, momentum=0.9)
        self.loader = DataLoader(PerImage(images, labels), BATCH_SIZE, shuffle=True)

    def train(self) -> None:
        self.model.train()
        for pixels, classes in self.loader:
            loss = F.cross_entropy(self.model.network(pixels.to(self.device)), classes.to(self.device))
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def read(self) -> None:
        for pixels, classes in self.loader:
            pixels.to(self.device), classes.to(self.device)


def seconds(work: Callable[[], None], device: torch.device) -> float:
    begin = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def accuracy(script: ModuleType, model: nn.Module, images: Tensor, labels: Tensor) -> float:
    found: float = script.validate(model, images, labels)[1]
    return found


def main() -> None:
    """Print epochs per second, their ratio, and both accuracies."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    script = load_training_script()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train = fashion(0, arguments.images)
    validation = [torch.from_numpy(array).to(device) for array in fashion(50_000, 52_000)]

    taken: dict[str, list[float]] = {}
    reached: dict[str, list[float]] = {}
    for seed in range(arguments.seeds):
        ways = {}
        for name, way in (("script", ScriptsWay), ("usual", UsualWay)):
            torch.manual_seed(seed)
            ways[name] = way(script, *train, device)
            seconds(ways[name].read, device)  # to warm up
        for _ in range(arguments.epochs):
            for name, way in ways.items():
                taken.setdefault(f"{name} input", []).append(seconds(way.read, device))
                taken.setdefault(f"{name} epoch", []).append(seconds(way.train, device))
        for name, way in ways.items():
            reached.setdefault(name, []).append(accuracy(script, way.model, *validation))

    precision = str(script.fast_precision(device)).removeprefix("torch.")
    print(
        f"{arguments.images} images, batch size {BATCH_SIZE}, {device.type}, {precision}, {torch.get_num_threads()} threads"
    )
    for what in ("input", "epoch"):
        ours, usual = (statistics.median(taken[f"{name} {what}"]) for name in ("script", "usual"))
        print(f"{what}: script {ours:.3g} s, usual way {usual:.3g} s, ratio {usual / ours:.3g}")
    for name, values in reached.items():
        shown = ", ".join(f"{value:.4f}" for value in values)
        print(f"validation accuracy after {arguments.epochs} epochs, {name}: {statistics.fmean(values):.4f} ({shown})")


if __name__ == "__main__":
    main()
