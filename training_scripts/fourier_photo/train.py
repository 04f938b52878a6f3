"""A network that learns a photograph by heart, from coordinates to colours: how fine it sees decides how well it guesses.

Data:    the photograph of a temple that ships inside scikit-learn (`china.jpg`), averaged to 64x64 pixels. A third of
         its pixels train, a third validate; a third is kept for a final test, unused here.
Model:   sines and cosines of 64 random directions, two hidden layers, three colours; Adam. A large `--scale` is fine detail,
         which is soon learnt and soon learnt by heart (Tancik et al. 2020, Fourier Features).
Metric:  `psnr` in decibels on the validation part (maximise), after each epoch; `cpu_seconds` of training and validating.
Resume:  a run that ended at an earlier `--epochs` goes on from its checkpoint as if it had never stopped.
"""

import argparse
import math
import os
import time
from collections.abc import Sequence

import numpy as np
import torch
from sklearn.datasets import load_sample_image
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
    parser.add_argument("--learning_rate", type=float, default=3e-3, help="of Adam")
    parser.add_argument("--scale", type=float, default=4.0, help="waves across the photograph, about")
    parser.add_argument("--n_units", type=int, default=64, help="width of each hidden layer")
    return parser.parse_args(argv)


# ---- Data ----------------------------------------------------------------------------------------


def split_pixels() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training places (N, 2) and colours (N, 3), validation places and colours, all in [0, 1]; the same for every seed."""
    photo = load_sample_image("china.jpg")[:384, :384].astype(np.float32) / 255
    colours = torch.from_numpy(photo.reshape(64, 6, 64, 6, 3).mean(axis=(1, 3)).reshape(-1, 3))
    axis = torch.arange(64) / 64
    places = torch.cartesian_prod(axis, axis)
    part = torch.from_numpy(np.random.default_rng(0).permutation(len(places)) % 3)
    return places[part == 0], colours[part == 0], places[part == 1], colours[part == 1]


# ---- Model ---------------------------------------------------------------------------------------


class FourierNetwork(nn.Module):
    """Places -> sines and cosines of random waves -> two hidden layers -> colours in [0, 1]."""

    waves: Tensor

    def __init__(self, scale: float, n_units: int) -> None:
        super().__init__()
        self.register_buffer("waves", torch.randn(2, 64) * scale)
        self.layers = nn.Sequential(
            nn.Linear(128, n_units),
            nn.ReLU(),
            nn.Linear(n_units, n_units),
            nn.ReLU(),
            nn.Linear(n_units, 3),
            nn.Sigmoid(),
        )

    def forward(self, places: Tensor) -> Tensor:
        """Shape (N, 2) to (N, 3)."""
        phase = 2 * math.pi * places @ self.waves
        colours: Tensor = self.layers(torch.cat([phase.sin(), phase.cos()], dim=1))
        return colours


# ---- Training ------------------------------------------------------------------------------------


def train_epoch(model: nn.Module, optimizer: torch.optim.Optimizer, places: Tensor, colours: Tensor) -> None:
    """One pass over the training part in random order."""
    for batch in torch.randperm(len(places)).split(64):
        optimizer.zero_grad()
        F.mse_loss(model(places[batch]), colours[batch]).backward()
        optimizer.step()


@torch.inference_mode()
def validate(model: nn.Module, places: Tensor, colours: Tensor) -> float:
    """The ratio of the largest possible error to the mean squared one, in decibels."""
    return F.mse_loss(model(places), colours).log10().mul(-10).item()


def main(argv: Sequence[str] | None = None) -> None:
    """Train until `--epochs`, from the checkpoint where there is one."""
    args = parse_args(argv)
    seed = int(os.environ.get("HPO_TRIAL_SEED", "0"))
    train_places, train_colours, validation_places, validation_colours = split_pixels()

    torch.manual_seed(seed)  # the waves and the initial weights
    model = FourierNetwork(args.scale, args.n_units)
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
        train_epoch(model, optimizer, train_places, train_colours)
        psnr = validate(model, validation_places, validation_colours)
        seconds += time.process_time() - began
        metrics = {"epoch": epoch, "psnr": psnr, "cpu_seconds": seconds}
        checkpoint.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "metrics": metrics})
        report(**metrics)


if __name__ == "__main__":
    main()
