"""WikiText-2 as numbers: find or fetch the text, number its words, lay it out in columns for truncated backpropagation.

The training and the validation part are read; the test part never is. Looked for under `{data}` in three layouts:
`wikitext-2/{train,valid}.txt` (as PyTorch's examples have it), `wikitext-2/wiki.{train,valid}.tokens` (the official
archive) and `wikitext-2-raw/wiki.{train,valid}.raw`. All hold one paragraph per line, words separated by blanks. Rare
words of the first two are `<unk>`; the raw version keeps them, so that its vocabulary is larger and its perplexities
cannot be compared with those of the others.
"""

import contextlib
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

LAYOUTS = {
    "wikitext-2": [("train.txt", "valid.txt"), ("wiki.train.tokens", "wiki.valid.tokens")],
    "wikitext-2-raw": [("wiki.train.raw", "wiki.valid.raw")],
}
SOURCE = "https://raw.githubusercontent.com/pytorch/examples/main/word_language_model/data/wikitext-2/"
END, UNKNOWN = "<eos>", "<unk>"


def find_files(data: Path) -> list[Path] | None:
    """The files of the training and of the validation part, or None where no layout is complete."""
    for folder, pairs in LAYOUTS.items():
        for names in pairs:
            files = [data / folder / name for name in names]
            if all(file.is_file() for file in files):
                return files
    return None


def download(data: Path) -> None:
    """Fetch the text once, however many trials start together; the folder appears only when complete."""
    from filelock import FileLock

    data.mkdir(parents=True, exist_ok=True)
    with FileLock(data / "wikitext-2.lock"):
        if find_files(data) is not None:  # another trial was faster
            return
        with tempfile.TemporaryDirectory(dir=data) as folder:
            complete = Path(folder) / "wikitext-2"
            complete.mkdir()
            for name in LAYOUTS["wikitext-2"][0]:
                with urllib.request.urlopen(SOURCE + name, timeout=60) as answer:
                    (complete / name).write_bytes(answer.read())
            complete.rename(data / "wikitext-2")


def read_words(file: Path) -> list[str]:
    """All words, the end of each line as a word of its own."""
    return file.read_text(encoding="utf-8").replace("\n", f" {END} ").split()


def number_words(train: Sequence[str], validation: Sequence[str]) -> tuple[Tensor, Tensor, int]:
    """Both parts as numbers, and the size of the vocabulary: the words of the training part, in order of appearance.

    A word that only the validation part has is counted as unknown.
    """
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys([*train, UNKNOWN]))}
    unknown = vocabulary[UNKNOWN]
    parts = (np.fromiter((vocabulary.get(word, unknown) for word in words), np.int64) for words in (train, validation))
    train_ids, validation_ids = map(torch.from_numpy, parts)
    return train_ids, validation_ids, len(vocabulary)


def load_corpus(data: Path) -> tuple[Tensor, Tensor, int]:
    """Training part, validation part, size of the vocabulary. Numbering two million words takes about a second."""
    files = find_files(data)
    if files is None:
        with contextlib.suppress(ImportError, OSError):  # no network, no permission
            download(data)
        files = find_files(data)
    if files is None:
        sys.exit(
            f"WikiText-2 could not be downloaded: put wiki.train.tokens and wiki.valid.tokens (or train.txt and "
            f"valid.txt) into {data / 'wikitext-2'}"
        )
    return number_words(*map(read_words, files))


def lay_out(ids: Tensor, n_columns: int, device: torch.device) -> Tensor:
    """The text cut into `n_columns` pieces of equal length, side by side (length x columns), on the device."""
    length = len(ids) // n_columns
    if length < 2:
        sys.exit(f"WikiText-2 has {len(ids)} words, too few for {n_columns} columns; use a smaller batch_size")
    return ids[: length * n_columns].view(n_columns, length).t().contiguous().to(device)


def windows(text: Tensor, bptt: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Up to `bptt` words of each column and, for each of them, the word that follows."""
    for start in range(0, len(text) - 1, bptt):
        end = min(start + bptt, len(text) - 1)
        yield text[start:end], text[start + 1 : end + 1]
