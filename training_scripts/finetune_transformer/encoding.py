"""Texts as tokens: encoded once per task and tokenizer, kept in one flat tensor, padded to the longest of each batch."""

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tasks import Examples, Task, find_files, read_examples
from torch import Tensor

POOL = 50
"""Batches whose examples are sorted by length together: little padding, and still a random order."""


@dataclass(frozen=True)
class EncodedTexts:
    """Labelled examples, each one sequence of tokens or several to choose from.

    Attributes:
        tokens: of all sequences, one after the other, on the device.
        types: which of the two texts each token belongs to; None where the tokenizer does not say.
        starts: where the sequences of each example begin in `tokens` (examples x choices).
        lengths: of those sequences.
        labels: of the examples, on the device.
        padding: token and type of what fills up a batch.
        pad_left: it is put before the sequences, as XLNet wants it, and not behind them.
    """

    tokens: Tensor
    types: Tensor | None
    starts: Tensor
    lengths: Tensor
    labels: Tensor
    padding: tuple[int, int]
    pad_left: bool

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, examples: Tensor) -> "EncodedTexts":
        """Some of the examples, over the same tokens."""
        return replace(
            self,
            starts=self.starts[examples],
            lengths=self.lengths[examples],
            labels=self.labels[examples.to(self.labels.device)],
        )

    def inputs(self, examples: Tensor) -> dict[str, Tensor]:
        """What a model takes, as wide as the longest sequence: batch (x choices) x length."""
        lengths, device = self.lengths[examples], self.tokens.device
        width = int(lengths.max())
        starts, lengths = self.starts[examples][..., None].to(device), lengths[..., None].to(device)
        positions = torch.arange(width, device=device) - (width - lengths if self.pad_left else 0)
        is_token = (positions >= 0) & (positions < lengths)
        index = (starts + positions).where(is_token, 0)
        inputs = {
            "input_ids": self.tokens[index].where(is_token, self.padding[0]).long(),
            "attention_mask": is_token.long(),
        }
        if self.types is not None:
            inputs["token_type_ids"] = self.types[index].where(is_token, self.padding[1]).long()
        if self.lengths.shape[1] == 1:
            inputs = {name: values.squeeze(1) for name, values in inputs.items()}
        return inputs

    def random_batches(self, batch_size: int) -> list[Tensor]:
        """All examples in random batches, those of similar length together."""
        longest = self.lengths.amax(dim=1)
        pools = torch.randperm(len(self)).split(POOL * batch_size)
        batches = torch.cat([pool[longest[pool].argsort(stable=True)] for pool in pools]).split(batch_size)
        return [batches[i] for i in torch.randperm(len(batches)).tolist()]

    def sorted_batches(self, batch_size: int) -> Sequence[Tensor]:
        """All examples, from the shortest to the longest."""
        return self.lengths.amax(dim=1).argsort(stable=True).split(batch_size)


def split(texts: EncodedTexts, fraction: float) -> tuple[EncodedTexts, EncodedTexts]:
    """A training part of this fraction and the rest, at random but always the same."""
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(texts)))
    n_train = round(fraction * len(texts))
    return texts.subset(order[:n_train]), texts.subset(order[n_train:])


# ---- Encoding ------------------------------------------------------------------------------------

Arrays = dict[str, np.ndarray[Any, Any]]


def load_encoded(
    name: str, task: Task, data: Path, parts: Sequence[str], tokenizer: Any, max_length: int, device: torch.device
) -> EncodedTexts:
    """A part of the data of a task as tokens on the device.

    They are kept in `{data}/encoded`, by the versions of the files and the tokenizer: encoding takes many seconds, and
    many trials begin. What came from the hub is not looked up there again.
    """
    file = data / "encoded" / f"{name}-{parts[0]}-{_version(task, data, parts, tokenizer, max_length)}.npz"
    arrays = _read(file)
    if arrays is None:
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):  # a folder that cannot be written to: every trial encodes for itself
                from filelock import FileLock

                file.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(FileLock(file.with_suffix(".lock")))
            arrays = _read(file)  # another trial was faster
            if arrays is None:
                arrays = encode(read_examples(task, data, parts), tokenizer, max_length)
                with contextlib.suppress(OSError):
                    _write(file, arrays)
    labels = torch.from_numpy(arrays["labels"])
    ends = torch.from_numpy(arrays["lengths"]).cumsum(0)
    lengths = torch.from_numpy(arrays["lengths"]).view(len(labels), -1)
    return EncodedTexts(
        tokens=torch.from_numpy(arrays["tokens"]).to(device),
        types=torch.from_numpy(arrays["types"]).to(device) if "types" in arrays else None,
        starts=ends.view(len(labels), -1) - lengths,
        lengths=lengths,
        labels=(labels.float() if task.n_labels == 1 else labels.long()).to(device),
        padding=(tokenizer.pad_token_id, tokenizer.pad_token_type_id),
        pad_left=tokenizer.padding_side == "left",
    )


def encode(examples: Examples, tokenizer: Any, max_length: int) -> Arrays:
    """Tokens and types of all sequences one after the other, their lengths, and the labels."""
    encoded = tokenizer(
        examples.first, examples.second, truncation=True, max_length=max_length, return_attention_mask=False
    )
    sequences = encoded["input_ids"]
    arrays = {
        "tokens": np.fromiter(chain.from_iterable(sequences), np.int32),
        "lengths": np.array([len(sequence) for sequence in sequences], np.int64),
        "labels": np.array(examples.labels, np.float32),
    }
    if "token_type_ids" in encoded:
        arrays["types"] = np.fromiter(chain.from_iterable(encoded["token_type_ids"]), np.int32)
    return arrays


def _version(task: Task, data: Path, parts: Sequence[str], tokenizer: Any, max_length: int) -> str:
    """A digest of all that the tokens depend on."""
    files = find_files(task, data, parts)
    files += [inner for file in files if file.is_dir() for inner in sorted(file.iterdir())]
    versions = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    rules["truncation"] = rules["padding"] = None  # of its last call
    # DistilBERT has BERT's tokenizer but for the types, which it does not take.
    whole = [versions or task.hub, max_length, rules, tokenizer.model_input_names]
    return hashlib.blake2b(json.dumps(whole).encode(), digest_size=8).hexdigest()


def _read(file: Path) -> Arrays | None:
    if not file.is_file():
        return None
    with np.load(file) as arrays:
        return dict(arrays)


def _write(file: Path, arrays: Arrays) -> None:
    """Replace the file whole: other trials may read it."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as whole:
            np.savez(whole, **arrays)
            whole.flush()
            os.fsync(whole.fileno())
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
