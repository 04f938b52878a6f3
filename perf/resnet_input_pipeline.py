"""Epochs per second of resnet_cifar10: batched augmentation of a tensor against one PIL image at a time.

    python perf/resnet_input_pipeline.py --images=320

Both ways see the same synthetic images, model, optimizer and batch size. The per-image way is the usual one:
torchvision's transforms on each image in a DataLoader with `num_workers=0`. On a CPU the model takes nearly
all the time, so the input alone is timed as well; on a GPU the input decides.
"""

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

ROOT = Path(__file__).resolve().parents[1]
BATCH_SIZE = 64


class PerImage(Dataset):
    """One image at a time through PIL, as torchvision's own CIFAR10 class does it."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = images, labels
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.PILToTensor(),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])


def load_training_script() -> ModuleType:
    """The script itself, so that its own functions are timed."""
    sys.path.insert(0, str(ROOT))
    file = ROOT / "training_scripts" / "resnet_cifar10" / "train.py"
    spec = importlib.util.spec_from_file_location("train", file)
    if spec is None or spec.loader is None:
        sys.exit(f"{file} is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def epochs_per_second(epoch: Callable[[], None], device: torch.device, repetitions: int = 3) -> float:
    """Best of a few, after one run to warm up."""
    times = []
    for _ in range(repetitions + 1):
        start = time.perf_counter()
        epoch()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return 1 / min(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=320)
    n_images = parser.parse_args().images

    script = load_training_script()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    generator = np.random.default_rng(0)
    images = generator.integers(256, size=(n_images, 32, 32, 3), dtype=np.uint8)
    labels = generator.integers(10, size=n_images)

    model = script.ImageClassifier().to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)
    scaler = torch.amp.GradScaler("cuda", enabled=device.type == "cuda")

    targets = torch.from_numpy(labels).to(device)
    border = script.BORDER
    bordered = F.pad(torch.from_numpy(images).to(device), (0, 0, border, border, border, border))
    loader = DataLoader(PerImage(images, labels), BATCH_SIZE, shuffle=True, pin_memory=device.type == "cuda")

    def batched() -> Iterator[tuple[Tensor, Tensor]]:
        for batch in torch.randperm(n_images, device=device).split(BATCH_SIZE):
            yield script.augmented(bordered, batch), targets[batch]

    def per_image() -> Iterator[tuple[Tensor, Tensor]]:
        for pixels, classes in loader:
            yield pixels.permute(0, 2, 3, 1).to(device), classes.to(device)

    def only_input(batches: Callable[[], Iterator[tuple[Tensor, Tensor]]]) -> None:
        for _ in batches():
            pass

    def with_model(batches: Callable[[], Iterator[tuple[Tensor, Tensor]]]) -> None:
        for pixels, classes in batches():
            loss = F.cross_entropy(model(pixels), classes)
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()

    print(f"{n_images} images, batch size {BATCH_SIZE}, {device.type}")
    for name, run in (("input only", only_input), ("with model", with_model)):
        repetitions = 10 if run is only_input else 2
        ours = epochs_per_second(lambda run=run: run(batched), device, repetitions)
        theirs = epochs_per_second(lambda run=run: run(per_image), device, repetitions)
        print(f"{name}: batched {ours:.4g}, per image {theirs:.4g} epochs/s, ratio {ours / theirs:.3g}")


if __name__ == "__main__":
    main()
