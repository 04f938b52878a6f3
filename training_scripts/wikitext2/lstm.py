"""A two-layer LSTM as a word-level language model of WikiText-2.

Data:    WikiText-2 (Merity et al. 2016), 2.1 million words of training and 0.2 million of validation text; the test
         part is never read. Where it is looked for: see corpus.py beside this file.
Model:   embedding (200) -> dropout -> 2 LSTM layers (200) with dropout -> dropout -> softmax over the vocabulary with
         the embedding's weights. Truncated backpropagation over 35 words, SGD on clipped gradients; the learning rate
         is divided by `lr_factor` after every epoch that does not improve the validation loss.
Metric:  `perplexity` on the validation part (minimise), after each epoch: the exponential of `val_loss`.
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
    """One option per hyperparameter; the defaults make a good run."""
    formatter = argparse.ArgumentDefaultsHelpFormatter
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=summary, formatter_class=formatter, allow_abbrev=False)
    parser.add_argument("--epochs", type=int, default=81, help="the run ends by itself after this epoch")
    parser.add_argument("--lr", type=float, default=20.0, help="learning rate of SGD at the start")
    parser.add_argument("--dropout", type=float, default=0.2, help="at embedding, between layers, at the output")
    parser.add_argument("--batch_size", type=int, default=20, help="pieces of the text that are read side by side")
    parser.add_argument("--clip", type=float, default=0.25, help="largest norm of the gradient")
    parser.add_argument("--lr_factor", type=float, default=4.0, help="divides lr after an epoch without improvement")
    parser.add_argument("--data", default="~/.cache/hpo", help="folder that holds wikitext-2")
    return parser.parse_args(argv)


# ---- Model ---------------------------------------------------------------------------------------

WIDTH, LAYERS, BPTT, VALIDATION_COLUMNS = 200, 2, 35, 10
State = tuple[Tensor, Tensor]


class LanguageModel(nn.Module):
    """Words (time x columns) and a state -> logits of the next words, and the next state."""

    def __init__(self, vocabulary: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.embedding = nn.Embedding(vocabulary, WIDTH)
        self.lstm = nn.LSTM(WIDTH, WIDTH, LAYERS, dropout=dropout)
        self.output = nn.Linear(WIDTH, vocabulary)
        self.output.weight = self.embedding.weight
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.zeros_(self.output.bias)

    def forward(self, words: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Logits in single precision."""
        with torch.autocast("cuda", torch.float16, enabled=words.is_cuda):
            hidden, state = self.lstm(self.dropout(self.embedding(words)), state)
            return self.output(self.dropout(hidden)).float(), state


# ---- Training ------------------------------------------------------------------------------------


def cross_entropy(logits: Tensor, following: Tensor) -> Tensor:
    """Mean loss per word."""
    return F.cross_entropy(logits.flatten(0, 1), following.flatten())


def train_epoch(
    model: LanguageModel, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler, text: Tensor, clip: float
) -> float:
    """One pass over the text, in its order; the mean loss per word, non-finite where training diverged."""
    model.train()
    state = None
    total = torch.zeros((), device=text.device)  # on the device: reading it each step would stall a GPU
    for words, following in windows(text, BPTT):
        logits, state = model(words, state)
        state = (state[0].detach(), state[1].detach())  # the gradient ends where the window begins
        loss = cross_entropy(logits, following)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        scaler.step(optimizer)
        scaler.update()
        total += loss.detach() * len(words)
    return total.item() / (len(text) - 1)


@torch.inference_mode()
def validate(model: LanguageModel, text: Tensor) -> float:
    """Mean loss per word; NaN of a diverged model."""
    model.eval()
    state = None
    total = torch.zeros((), device=text.device)
    for words, following in windows(text, BPTT):
        logits, state = model(words, state)
        total += cross_entropy(logits, following) * len(words)
    return total.item() / (len(text) - 1)


def perplexity(loss: float) -> float:
    """The exponential; infinite where it exceeds all floats, NaN of NaN."""
    return math.exp(loss) if not loss > 700 else math.inf


def main(argv: Sequence[str] | None = None) -> None:
    """Train until `--epochs`, from the checkpoint where there is one."""
    args = parse_args(argv)
    seed = int(os.environ.get("HPO_TRIAL_SEED", "0"))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train_ids, validation_ids, vocabulary = load_corpus(Path(args.data).expanduser())
    train_text = lay_out(train_ids, args.batch_size, device)
    validation_text = lay_out(validation_ids, VALIDATION_COLUMNS, device)

    torch.manual_seed(seed)  # the initial weights
    model = LanguageModel(vocabulary, args.dropout).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, fused=True)
    scaler = torch.amp.GradScaler("cuda", enabled=device.type == "cuda")  # half-precision gradients underflow
    first_epoch, best = 1, math.inf
    state = checkpoint.load()
    if state is not None:
        metrics = state["metrics"]
        # Again: a kill between the checkpoint and its report may have lost it, and what is known is dropped.
        report(**metrics)
        if not math.isfinite(metrics["train_loss"]):
            return
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])  # with the learning rate as it is by now
        scaler.load_state_dict(state["scaler"])
        first_epoch, best = metrics["epoch"] + 1, state["best"]

    for epoch in range(first_epoch, args.epochs + 1):
        # Randomness is a function of (seed, epoch) alone: a resumed run needs no generator state.
        torch.manual_seed(seed + 1_000_003 * epoch)
        train_loss = train_epoch(model, optimizer, scaler, train_text, args.clip)
        val_loss = validate(model, validation_text)
        if not val_loss < best:
            for group in optimizer.param_groups:
                group["lr"] /= args.lr_factor
        best = min(best, val_loss)
        metrics = {
            "epoch": epoch,
            "perplexity": perplexity(val_loss),
            "train_loss": train_loss,
            "val_loss": val_loss,
        }
        checkpoint.save(
            {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "scaler": scaler.state_dict(),
                "metrics": metrics,
                "best": best,
            }
        )
        report(**metrics)
        if not math.isfinite(train_loss):  # diverged: the weights are NaN and stay so
            break


if __name__ == "__main__":
    main()
