"""A pretrained transformer, fine-tuned to a task of GLUE, to SWAG or to IMDB.

Data:    see tasks.py beside this file. GLUE's and IMDB's original training part is split into a training and a
         validation part, the same for every seed; the official validation and test parts are never read.
Weights: `model_name_or_path` is looked for as `{data}/models/{name}`, then as a folder, then in the hub's cache; else
         it is downloaded. The layer on top is new.
Model:   AdamW (no decay of biases and norms) on clipped gradients; the learning rate rises over the first
         `warmup_ratio` of all steps and falls linearly to 0 over the rest, steps of `--total_epochs` and not of `--epochs`.
Metric:  what the task is judged by, on the validation part, after each epoch; not a number once training has diverged.
Resume:  a run that ended at an earlier `--epochs` goes on from its checkpoint as if it had never stopped
         (to the last bit on the CPU).
Source:  search spaces, models and splits follow the benchmarks of the same names in Syne Tune.
"""

import argparse
import logging
import math
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from encoding import EncodedTexts, load_encoded, split
from optimizer import AdamW
from scores import SCORES
from tasks import TASKS, Task
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModelForMultipleChoice, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from hpo import checkpoint, report

# ---- Arguments -----------------------------------------------------------------------------------


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """One option per hyperparameter; the defaults are the usual ones."""
    formatter = argparse.ArgumentDefaultsHelpFormatter
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=summary, formatter_class=formatter, allow_abbrev=False)
    parser.add_argument("--task_name", choices=sorted(TASKS), required=True, help="what to learn")
    parser.add_argument("--model_name_or_path", default="bert-base-cased", help="pretrained encoder")
    parser.add_argument("--epochs", type=int, default=3, help="the run ends by itself after this epoch")
    parser.add_argument(
        "--total_epochs", type=int, help="epochs that the learning rate is planned for; --epochs if absent"
    )
    parser.add_argument("--learning_rate", type=float, default=2e-5, help="the largest, after the warm-up")
    parser.add_argument("--per_device_train_batch_size", type=int, default=32, help="examples per step")
    parser.add_argument("--warmup_ratio", type=float, default=0.0, help="share of all steps")
    parser.add_argument("--weight_decay", type=float, default=0.0, help="decoupled, of AdamW")
    parser.add_argument("--adam_beta1", type=float, default=0.9, help="of AdamW")
    parser.add_argument("--adam_beta2", type=float, default=0.999, help="of AdamW")
    parser.add_argument("--adam_epsilon", type=float, default=1e-8, help="of AdamW")
    parser.add_argument("--max_grad_norm", type=float, default=1.0, help="largest norm of the gradient; 0: any")
    parser.add_argument("--max_seq_length", type=int, default=128, help="tokens; longer texts are cut off")
    parser.add_argument("--train_valid_fraction", type=float, default=0.7, help="training share, where data is split")
    parser.add_argument("--data", default="~/.cache/hpo", help="folder of glue, swag, aclImdb and models")
    args = parser.parse_args(argv)
    args.total_epochs = args.total_epochs or args.epochs
    if args.epochs > args.total_epochs:
        parser.error(
            f"--epochs={args.epochs} is beyond --total_epochs={args.total_epochs}, where the learning rate is 0"
        )
    return args


# ---- Model and data ------------------------------------------------------------------------------


def load_pretrained(name: str, task: Task, data: Path) -> tuple[Any, nn.Module]:
    """The tokenizer, and the encoder with a new layer for the task on top."""
    transformers_logging.set_verbosity_error()  # it warns that the layer on top is new
    transformers_logging.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # and of every attempt to reach the hub
    folder = data / "models" / name
    source = str(folder) if folder.is_dir() else name
    for only_here in (True, False):  # with the weights in its cache the hub need not be asked
        try:
            tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=only_here)
            if task.n_choices > 1:
                model = AutoModelForMultipleChoice.from_pretrained(source, local_files_only=only_here)
            else:
                model = AutoModelForSequenceClassification.from_pretrained(
                    source, local_files_only=only_here, num_labels=task.n_labels, ignore_mismatched_sizes=True
                )
        except (OSError, ValueError):  # no such folder, not in the cache, no network, or a file is missing
            continue
        return tokenizer, model.float()
    sys.exit(
        f"{source} is neither a model on this disk nor to be downloaded: put its config.json, model.safetensors and "
        f"tokenizer files into {folder}"
    )


def load_data(args: argparse.Namespace, task: Task, tokenizer: Any, device: torch.device) -> Iterator[EncodedTexts]:
    """The training part, then the validation part."""
    data = Path(args.data).expanduser()

    def load(*parts: str) -> EncodedTexts:
        return load_encoded(args.task_name, task, data, parts, tokenizer, args.max_seq_length, device)

    if task.validation is None:
        yield from split(load("train"), args.train_valid_fraction)
    else:
        yield load("train")
        yield load(*task.validation)


# ---- Training ------------------------------------------------------------------------------------


def build_optimizer(args: argparse.Namespace, model: nn.Module) -> torch.optim.Optimizer:
    """AdamW. Matrices decay, biases and the weights of norms do not."""
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    vectors = [weight for weight in model.parameters() if weight.ndim <= 1]
    return AdamW(
        [{"params": matrices, "weight_decay": args.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=args.learning_rate,
        betas=(args.adam_beta1, args.adam_beta2),
        eps=args.adam_epsilon,
    )


def learning_rate(args: argparse.Namespace, step: int, steps_per_epoch: int) -> float:
    """Of a step, counted from 0 over all epochs: a function of the whole plan, not of where this run is to end."""
    total = args.total_epochs * steps_per_epoch
    warmup = math.ceil(args.warmup_ratio * total)
    share = (step + 1) / (warmup + 1) if step < warmup else (total - step) / (total - warmup)
    return float(args.learning_rate * share)


def compute_logits(model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """In single precision; half precision inside on a GPU."""
    with torch.autocast("cuda", torch.float16, enabled=inputs["input_ids"].is_cuda):
        logits: Tensor = model(**inputs).logits.float()
    return logits


def compute_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Squared error of a regression, cross entropy of a choice."""
    if logits.shape[1] == 1:
        return F.mse_loss(logits[:, 0], labels.to(logits.dtype))
    return F.cross_entropy(logits, labels)


def train_epoch(
    args: argparse.Namespace,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    texts: EncodedTexts,
    epoch: int,
) -> float:
    """One pass over the training part in random order; the mean loss, non-finite where training diverged."""
    model.train()
    total = torch.zeros((), device=texts.labels.device)  # on the device: reading it each step would stall a GPU
    batches = texts.random_batches(args.per_device_train_batch_size)
    for step, batch in enumerate(batches, start=(epoch - 1) * len(batches)):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(args, step, len(batches))
        loss = compute_loss(compute_logits(model, texts.inputs(batch)), texts.labels[batch.to(total.device)])
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        if args.max_grad_norm > 0:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), args.max_grad_norm)
        scaler.step(optimizer)
        scaler.update()
        total += loss.detach() * len(batch)
    return total.item() / len(texts)


@torch.inference_mode()
def validate(model: nn.Module, texts: EncodedTexts, metrics: Sequence[str]) -> dict[str, float]:
    """The metrics of the task and the mean loss."""
    model.eval()
    batches = texts.sorted_batches(64)
    logits = torch.cat([compute_logits(model, texts.inputs(batch)) for batch in batches]).cpu().double()
    labels = texts.labels.cpu()[torch.cat(list(batches))]
    predictions = logits[:, 0] if logits.shape[1] == 1 else logits
    values = {name: SCORES[name](predictions, labels) for name in metrics}
    return values | {"validation_loss": compute_loss(logits, labels).item()}


def main(argv: Sequence[str] | None = None) -> None:
    """Train until `--epochs`, from the checkpoint where there is one."""
    args = parse_args(argv)
    task = TASKS[args.task_name]
    seed = int(os.environ.get("HPO_TRIAL_SEED", "0"))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    torch.manual_seed(seed)  # the weights of the new layer
    tokenizer, model = load_pretrained(args.model_name_or_path, task, Path(args.data).expanduser())
    model.to(device)
    train_texts, validation_texts = load_data(args, task, tokenizer, device)
    optimizer = build_optimizer(args, model)
    scaler = torch.amp.GradScaler("cuda", enabled=device.type == "cuda")  # half-precision gradients underflow
    first_epoch = 1
    state = checkpoint.load()
    if state is not None:
        metrics = state["metrics"]
        # Again: a kill between the checkpoint and its report may have lost it, and what is known is dropped.
        report(**metrics)
        if not math.isfinite(metrics["train_loss"] + metrics["validation_loss"]):
            return
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        scaler.load_state_dict(state["scaler"])
        first_epoch = metrics["epoch"] + 1

    for epoch in range(first_epoch, args.epochs + 1):
        # Randomness is a function of (seed, epoch) alone: a resumed run needs no generator state.
        torch.manual_seed(seed + 1_000_003 * epoch)
        train_loss = train_epoch(args, model, optimizer, scaler, train_texts, epoch)
        values = validate(model, validation_texts, task.metrics)
        diverged = not math.isfinite(train_loss + values["validation_loss"])  # the weights are NaN and stay so
        if diverged:  # all answers are the first class, which may often be right
            values = dict.fromkeys(values, math.nan)
        metrics = {"epoch": epoch, **values, "train_loss": train_loss}
        checkpoint.save(
            {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "scaler": scaler.state_dict(),
                "metrics": metrics,
            }
        )
        report(**metrics)
        if diverged:
            break


if __name__ == "__main__":
    main()
