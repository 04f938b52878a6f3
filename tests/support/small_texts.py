"""Small texts in the formats that GLUE, SWAG, IMDB and WikiText-2 come in, and small encoders in the hub's format.

Nothing is downloaded: sentences are drawn from a few words, of which some tell the label, and the encoders have random
weights and a tokenizer that knows the same words.
"""

import csv
import json
from pathlib import Path

import numpy as np

GOOD = ["wonderful", "brilliant", "moving", "delightful", "superb"]
BAD = ["dreadful", "tedious", "shallow", "annoying", "clumsy"]
PLAIN = [
    "the",
    "film",
    "plot",
    "actor",
    "scene",
    "was",
    "and",
    "a",
    "quite",
    "music",
    '"again"',
    "ending",
    "it",
    "music's",
]

GLUE_FORMATS = {
    "cola": "official", "mnli": "official", "mrpc": "official", "qnli": "official", "qqp": "official", "rte": "parquet",
    "sst2": "official", "stsb": "official", "wnli": "saved",
}  # fmt: skip
"""How each task lies in the small data: as in GLUE's archive, as on the hub, or as `save_to_disk` wrote it."""
ENCODERS = {
    "bert-base-cased": "bert", "bert-base-uncased": "bert", "distilbert-base-uncased": "distilbert",
    "distilbert-base-cased": "distilbert", "roberta-base": "roberta", "albert-base-v2": "albert",
    "distilroberta-base": "roberta", "xlnet-base-cased": "xlnet", "albert-base-v1": "albert",
}  # fmt: skip
N_EXAMPLES = 72


def sentence(generator, good):
    words = generator.choice(PLAIN, generator.integers(2, 9)).tolist()
    words.insert(int(generator.integers(len(words))), str(generator.choice(GOOD if good else BAD)))
    return " ".join(words)


def examples(task, n=N_EXAMPLES):
    """Columns as the hub names them."""
    generator = np.random.default_rng(sum(task.encode()))
    classes = 3 if task == "mnli" else 2
    labels = generator.integers(classes, size=n)
    first = [sentence(generator, label == 1) for label in labels]
    second = [sentence(generator, label != 0) for label in labels]
    names = {
        "cola": ["sentence"], "sst2": ["sentence"], "mnli": ["premise", "hypothesis"], "qnli": ["question", "sentence"],
        "qqp": ["question1", "question2"],
    }.get(task, ["sentence1", "sentence2"])  # fmt: skip
    columns = dict(zip(names, [first, second], strict=False))
    columns["label"] = labels.tolist()
    if task == "stsb":
        columns["label"] = [round(2.5 * label + float(generator.random()), 3) for label in columns["label"]]
    columns["idx"] = list(range(n))
    return columns


# ---- GLUE ----------------------------------------------------------------------------------------

OFFICIAL = {
    "mnli": (
        "MNLI",
        "index promptID pairID genre sentence1_binary_parse sentence2_binary_parse sentence1_parse sentence2_parse "
        "sentence1 sentence2 label1 gold_label",
    ),
    "mrpc": ("MRPC", "Quality|#1 ID|#2 ID|#1 String|#2 String"),
    "qnli": ("QNLI", "index question sentence label"),
    "qqp": ("QQP", "id qid1 qid2 question1 question2 is_duplicate"),
    "rte": ("RTE", "index sentence1 sentence2 label"),
    "sst2": ("SST-2", "sentence label"),
    "stsb": ("STS-B", "index genre filename year old_index source1 source2 sentence1 sentence2 score"),
    "wnli": ("WNLI", "index sentence1 sentence2 label"),
}
"""Folders and headers of GLUE's archives (CoLA's has none)."""
LABELS = {
    "mnli": ["entailment", "neutral", "contradiction"],
    "qnli": ["entailment", "not_entailment"],
    "rte": ["entailment", "not_entailment"],
}
TEXT_COLUMNS = {"premise": "sentence1", "hypothesis": "sentence2"}
MRPC_COLUMNS = {"sentence1": "#1 String", "sentence2": "#2 String"}


def write_official(glue, task, columns):
    """train.tsv as GLUE's archive has it: tabs between columns, quotation marks without a meaning."""
    labels = [LABELS[task][label] if task in LABELS else label for label in columns["label"]]
    if task == "cola":
        rows = [["gj04", label, "", text] for label, text in zip(labels, columns["sentence"], strict=True)]
        header, folder = [], glue / "CoLA"
    else:
        name, line = OFFICIAL[task]
        header, folder = line.split("|" if "|" in line else " "), glue / name
        known = {}
        for column, values in columns.items():
            known[TEXT_COLUMNS.get(column, MRPC_COLUMNS.get(column, column) if task == "mrpc" else column)] = values
        label_column = {"mnli": "gold_label", "mrpc": "Quality", "qqp": "is_duplicate", "stsb": "score"}.get(
            task, "label"
        )
        known[label_column] = labels
        rows = [[known[c][i] if c in known and c != "idx" else f"x{i}" for c in header] for i in range(len(labels))]
    folder.mkdir(parents=True)
    lines = ["\t".join(map(str, row)) for row in ([header] if header else []) + rows]
    (folder / "train.tsv").write_text("\n".join(lines) + "\n")


def write_parquet(folder, columns, part="train", n_files=2):
    """Parquet files, named as the hub names them."""
    import pyarrow
    from pyarrow import parquet

    folder.mkdir(parents=True, exist_ok=True)
    whole = pyarrow.table(columns)
    size = -(-len(whole) // n_files)
    for i in range(n_files):
        parquet.write_table(whole.slice(i * size, size), folder / f"{part}-{i:05}-of-{n_files:05}.parquet")


def write_saved(folder, columns, part="train"):
    """A DatasetDict's folder, as `save_to_disk` writes it."""
    import datasets

    datasets.disable_progress_bars()
    datasets.DatasetDict({part: datasets.Dataset.from_dict(columns)}).save_to_disk(str(folder))


def write_csv(file, columns):
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def write_jsonl(file, columns):
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_glue(data):
    for task, how in GLUE_FORMATS.items():
        columns = examples(task)
        if how == "official":
            write_official(data / "glue", task, columns)
        elif how == "parquet":
            write_parquet(data / "glue" / task, columns)
        else:
            write_saved(data / "glue" / task, columns)


# ---- SWAG and IMDB -------------------------------------------------------------------------------


def swag(n, seed):
    """Columns of SWAG's csv files: the ending with a good word is the right one."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(4, size=n).tolist()
    columns = {"": list(range(n)), "video-id": ["anetv_x"] * n, "fold-ind": list(range(n))}
    columns["startphrase"] = columns["sent1"] = [sentence(generator, True) for _ in range(n)]
    columns["sent2"] = ["the actor"] * n
    columns["gold-source"] = ["gold"] * n
    for ending in range(4):
        columns[f"ending{ending}"] = [sentence(generator, label == ending) for label in labels]
    return columns | {"label": labels}


def write_swag(data):
    write_csv(data / "swag" / "train.csv", swag(48, 0))
    write_csv(data / "swag" / "val.csv", swag(24, 1))


def imdb(n=60):
    generator = np.random.default_rng(5)
    labels = [0] * (n // 2) + [1] * (n // 2)
    return {
        "text": [f"{sentence(generator, label == 1)}<br />{sentence(generator, label == 1)}" for label in labels],
        "label": labels,
    }


def write_imdb(data):
    """As aclImdb_v1.tar.gz unpacks."""
    columns = imdb()
    for i, (text, label) in enumerate(zip(columns["text"], columns["label"], strict=True)):
        folder = data / "aclImdb" / "train" / ("pos" if label else "neg")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i:03}_{8 if label else 2}.txt").write_text(text)
    (data / "aclImdb" / "train" / "unsup").mkdir()


# ---- Encoders ------------------------------------------------------------------------------------


def make_tokenizer(kind):
    """WordPiece with the words of the small data and all letters; special tokens where each kind of encoder has them."""
    import tokenizers
    import transformers

    left = kind == "xlnet"
    letters = [chr(code) for code in range(33, 127)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *GOOD, *BAD, *PLAIN, *letters, *(f"##{x}" for x in letters)]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    whole = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    whole.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    whole.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A:0 [SEP]:0 [CLS]:2" if left else "[CLS]:0 $A:0 [SEP]:0",
        pair="$A:0 [SEP]:0 $B:1 [SEP]:1 [CLS]:2" if left else "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(token, whole.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    typed = kind in ("bert", "albert", "xlnet")
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=whole, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", padding_side="left" if left else "right", model_max_length=512,
        model_input_names=["input_ids", *(["token_type_ids"] if typed else []), "attention_mask"],
    )  # fmt: skip


def encoder(kind, seed):
    """One layer of 16 units with random weights."""
    import torch
    import transformers as t

    common = {"vocab_size": 240, "pad_token_id": 0, "num_attention_heads": 2}
    bert = {"hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 16, "max_position_embeddings": 520}
    torch.manual_seed(seed)
    if kind == "bert":
        return t.BertModel(t.BertConfig(**common, **bert))
    if kind == "roberta":
        return t.RobertaModel(t.RobertaConfig(**common, **bert, type_vocab_size=1))
    if kind == "albert":
        return t.AlbertModel(t.AlbertConfig(**common, **bert, embedding_size=8))
    if kind == "xlnet":
        return t.XLNetModel(t.XLNetConfig(vocab_size=240, pad_token_id=0, d_model=16, n_layer=1, n_head=2, d_inner=16))
    return t.DistilBertModel(
        t.DistilBertConfig(
            vocab_size=240, pad_token_id=0, dim=16, n_layers=1, n_heads=2, hidden_dim=16, max_position_embeddings=512
        )
    )


def write_encoders(data, names=tuple(ENCODERS)):
    """config.json, model.safetensors and the tokenizer's files, as `save_pretrained` writes them."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    for seed, name in enumerate(names):
        kind = ENCODERS[name]
        encoder(kind, seed).save_pretrained(data / "models" / name)
        make_tokenizer(kind).save_pretrained(data / "models" / name)


# ---- WikiText-2 ----------------------------------------------------------------------------------


def article(generator, n_lines):
    """Lines as WikiText-2 has them: a blank at both ends, headings between `=`, empty lines between paragraphs."""
    lines = []
    for i in range(n_lines):
        words = generator.choice([*PLAIN, *GOOD, "<unk>", "@-@"], generator.integers(4, 12)).tolist()
        lines.append(" \n" if i % 4 == 1 else f" = {words[0]} = \n" if i % 4 == 0 else f" {' '.join(words)} . \n")
    return "".join(lines)


def write_wikitext(data, names=("wiki.train.tokens", "wiki.valid.tokens"), folder="wikitext-2"):
    generator = np.random.default_rng(0)
    (data / folder).mkdir(parents=True)
    for name, n_lines in zip(names, (220, 40), strict=True):
        (data / folder / name).write_text(article(generator, n_lines))


def write_all(data: Path):
    """Everything, for all benchmarks."""
    for write in (write_glue, write_swag, write_imdb, write_encoders, write_wikitext):
        write(data)
