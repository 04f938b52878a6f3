"""A small transformer as a word-level language model of WikiText-2.

Data:    WikiText-2 (Merity et al. 2016), 2.1 million words of training and 0.2 million of validation text; the test
         part is never read. Where it is looked for: see corpus.py beside this file.
Model:   scaled embedding + sinusoidal positions -> `nlayers` encoder layers with a causal mask -> softmax over the
         vocabulary. Windows of `bptt` words in the order of the text; SGD with momentum (or Adam, whose first beta
         `momentum` then is) at a constant learning rate, on gradients clipped to the norm `clip` (0: not clipped).
Metric:  `val_loss` on the validation part (minimise), after each epoch: the mean cross entropy per word, in nats.
Resume:  a run that ended at an earlier `--epochs` goes on from its checkpoint as if it had never stopped.
Source:  search space and model follow the benchmark of the same name in Syne Tune.
"""

import argparse
import math
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from corpus import lay_out, load_corpus, windows
from torch import Tensor, nn
from torch.nn import functional as F

from hpo import checkpoint, report

# ---- Arguments -----------------------------------------------------------------------------------


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """One option per hyperparameter."""
    formatter = argparse.ArgumentDefaultsHelpFormatter
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=summary, formatter_class=formatter, allow_abbrev=False)
    parser.add_argument("--epochs", type=int, default=40, help="the run ends by itself after this epoch")
    parser.add_argument("--lr", type=float, default=1e-3, help="learning rate")
    parser.add_argument("--dropout", type=float, default=0.2, help="after the positions and in each layer")
    parser.add_argument("--batch_size", type=int, default=20, help="pieces of the text that are read side by side")
    parser.add_argument("--momentum", type=float, default=0.9, help="of SGD, or Adam's first beta")
    parser.add_argument("--clip", type=float, default=0.25, help="largest norm of the gradient; 0: any")
    parser.add_argument("--optimizer_name", choices=["sgd", "adam"], default="sgd", help="optimizer")
    parser.add_argument("--d_model", type=int, default=256, help="width of the embedding and of each layer")
    parser.add_argument("--ffn_ratio", type=int, default=1, help="width of the feed-forward part over d_model")
    parser.add_argument("--nlayers", type=int, default=2, help="number of encoder layers")
    parser.add_argument("--nhead", type=int, default=2, help="attention heads of each layer")
    parser.add_argument("--bptt", type=int, default=35, help="words of a window")
    parser.add_argument("--data", default="~/.cache/hpo", help="folder that holds wikitext-2")
    return parser.parse_args(argv)


# ---- Model ---------------------------------------------------------------------------------------

VALIDATION_COLUMNS = 10


def sinusoids(length: int, width: int) -> Tensor:
    """Positions as sines and cosines of geometrically growing wavelengths (Vaswani et al. 2017): length x 1 x width."""
    frequencies = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles = torch.arange(length)[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, None, :width]


class LanguageModel(nn.Module):
    """Words (time x columns) -> logits of the next words, each from the words before it in the window."""

    positions: Tensor
    mask: Tensor

    def __init__(self, vocabulary: int, args: argparse.Namespace) -> None:
        super().__init__()
        self.dropout = nn.Dropout(args.dropout)
        self.embedding = nn.Embedding(vocabulary, args.d_model)
        layer = nn.TransformerEncoderLayer(args.d_model, args.nhead, args.d_model * args.ffn_ratio, args.dropout)
        self.encoder = nn.TransformerEncoder(layer, args.nlayers, enable_nested_tensor=False)
        self.output = nn.Linear(args.d_model, vocabulary)
        self.register_buffer("positions", sinusoids(args.bptt, args.d_model), persistent=False)
        mask = nn.Transformer.generate_square_subsequent_mask(args.bptt)
        self.register_buffer("mask", mask, persistent=False)
        for weight in (self.embedding.weight, self.output.weight):
            nn.init.uniform_(weight, -0.1, 0.1)
        nn.init.zeros_(self.output.bias)

    def forward(self, words: Tensor) -> Tensor:
        """Logits in single precision."""
        length = len(words)
        with torch.autocast("cuda", torch.float16, enabled=words.is_cuda):
            embedded = self.embedding(words) * math.sqrt(self.embedding.embedding_dim)
            inputs = self.dropout(embedded + self.positions[:length])
            hidden = self.encoder(inputs, mask=self.mask[:length, :length], is_causal=True)
            logits: Tensor = self.output(hidden).float()
        return logits


def build_optimizer(args: argparse.Namespace, model: nn.Module) -> torch.optim.Optimizer:
    """SGD, or Adam with `momentum` as its first beta."""
    if args.optimizer_name == "adam":
        return torch.optim.Adam(model.parameters(), lr=args.lr, betas=(args.momentum, 0.999), fused=True)
    return torch.optim.SGD(model.parameters(), lr=args.lr, momentum=args.momentum, fused=True)


# ---- Training ------------------------------------------------------------------------------------


def cross_entropy(logits: Tensor, following: Tensor) -> Tensor:
    """Mean loss per word."""
    return F.cross_entropy(logits.flatten(0, 1), following.flatten())


def train_epoch(
    model: LanguageModel,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    text: Tensor,
    args: argparse.Namespace,
) -> float:
    """One pass over the text, in its order; the mean loss per word, non-finite where training diverged."""
    model.train()
    total = torch.zeros((), device=text.device)  # on the device: reading it each step would stall a GPU
    for words, following in windows(text, args.bptt):
        loss = cross_entropy(model(words), following)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        if args.clip > 0:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), args.clip)
        scaler.step(optimizer)
        scaler.update()
        total += loss.detach() * len(words)
    return total.item() / (len(text) - 1)


@torch.inference_mode()
def validate(model: LanguageModel, text: Tensor, bptt: int) -> float:
    """Mean loss per word; NaN of a diverged model."""
    model.eval()
    total = torch.zeros((), device=text.device)
    for words, following in windows(text, bptt):
        total += cross_entropy(model(words), following) * len(words)
    return total.item() / (len(text) - 1)


def main(argv: Sequence[str] | None = None) -> None:
    """Train until `--epochs`, from the checkpoint where there is one."""
    args = parse_args(argv)
    seed = int(os.environ.get("HPO_TRIAL_SEED", "0"))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train_ids, validation_ids, vocabulary = load_corpus(Path(args.data).expanduser())
    train_text = lay_out(train_ids, args.batch_size, device)
    validation_text = lay_out(validation_ids, VALIDATION_COLUMNS, device)

    torch.manual_seed(seed)  # the initial weights
    model = LanguageModel(vocabulary, args).to(device)
    optimizer = build_optimizer(args, model)
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
        train_loss = train_epoch(model, optimizer, scaler, train_text, args)
        metrics = {
            "epoch": epoch,
            "val_loss": validate(model, validation_text, args.bptt),
            "train_loss": train_loss,
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
