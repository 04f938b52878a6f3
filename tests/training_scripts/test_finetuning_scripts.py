"""Fine-tuning to GLUE, SWAG and IMDB on small texts and encoders: resuming, hyperparameters, divergence, formats, batches."""

import importlib
import json
import math
import shutil
import sys

import numpy as np
import pytest

from hpo.config.config_folders import CONF_DIR
from hpo.config.reading import load_config
from tests.support.hosted import METHODS, ROOT, TrialHost, changed, complete_small_experiments
from tests.support.marks import or_slow
from tests.support.small_texts import (
    ENCODERS,
    GLUE_FORMATS,
    examples,
    imdb,
    make_tokenizer,
    swag,
    write_all,
    write_csv,
    write_encoders,
    write_jsonl,
    write_official,
    write_parquet,
    write_saved,
)

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("datasets")
pytestmark = pytest.mark.xdist_group("finetuning")  # one host and one set of small data

SCRIPT = "training_scripts/finetune_transformer/train.py"
BENCHMARKS = sorted(
    path.stem for path in (CONF_DIR / "benchmark").glob("*.yaml") if f"script: {SCRIPT}" in path.read_text()
)
REPRESENTATIVE = ["distilbert_imdb", "finetune_transformer_swag", "finetune_transformer_glue_modsel_cola"]
VARIED = [*REPRESENTATIVE, "finetune_transformer_glue_stsb", "finetune_transformer_glue_mnli"]
"""One of each kind of output, and of each space: what the suite has time for; the others are slow ones."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_all(folder)
    return folder


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """With what the benchmark that needs most preloads: all kinds of encoders."""
    preload = load_config("finetune_transformer_glue_modsel_cola", "RS").benchmark.preload
    host = TrialHost(tmp_path_factory.mktemp("host"), preload)
    yield host
    host.close()


@pytest.fixture
def run(host, data):
    def run(benchmark, **options):
        return host.run(benchmark, **{"data": data, **configuration(benchmark), **options})

    return run


def configuration(benchmark):
    """The first that the benchmark tries; with the largest learning rate, for the small encoders are slow learners."""
    config = load_config(benchmark, "RS").benchmark
    space = load_config(benchmark, "RS").space
    first = space.complete((config.points_to_evaluate or [{}])[0], "points_to_evaluate")
    return first | {"learning_rate": 1e-4}


@pytest.fixture(scope="module")
def script():
    """The modules of the script, imported as the script does."""
    folder = str(ROOT / SCRIPT).removesuffix("/train.py")
    sys.path.insert(0, folder)
    names = ("tasks", "scores", "optimizer", "encoding", "train")
    try:
        yield type("Modules", (), {name: importlib.import_module(name) for name in names})
    finally:
        sys.path.remove(folder)
        for name in names:
            sys.modules.pop(name, None)


# ---- Training ------------------------------------------------------------------------------------


def test_the_family_has_the_benchmarks_of_syne_tune():
    glue = {f"finetune_transformer_glue_{modsel}{task}" for modsel in ("", "modsel_") for task in GLUE_FORMATS}

    assert set(BENCHMARKS) == glue | {"distilbert_imdb", "finetune_transformer_swag"}
    assert len(BENCHMARKS) == 20


def encoder_for(name):
    """A different encoder for each task of model selection."""
    if "modsel" not in name:
        return {}
    tasks = sorted(GLUE_FORMATS)
    return {"model_name_or_path": list(ENCODERS)[tasks.index(name.rpartition("_")[2])]}


@pytest.mark.parametrize("name", or_slow(BENCHMARKS, VARIED))
@pytest.mark.process
def test_a_run_killed_after_each_checkpoint_repeats_an_uninterrupted_run_to_the_last_bit(name, run, tmp_path):
    settings = {"total_epochs": 2, **encoder_for(name)}
    one, two = run(name, epochs=2, **settings).good
    # The first attempt is told to stop at the rung, as by ASHA, and killed there.
    killed = [run(name, epochs=n, checkpoints=tmp_path, kill_before=n, **settings) for n in (1, 2)]
    last = run(name, epochs=2, checkpoints=tmp_path, **settings).good

    assert [line["epoch"] for line in (one, two)] == [1, 2]
    assert one["train_loss"] != two["train_loss"]
    assert isinstance(one[load_config(name, "RS").benchmark.metric], float)
    assert [(training.signal, training.reports) for training in killed] == [(9, []), (9, [one])]
    assert last == [two]


@pytest.mark.process
def test_the_learning_rate_follows_the_whole_plan_wherever_a_run_is_told_to_end(run):
    name = "finetune_transformer_glue_rte"
    (planned,) = run(name, epochs=1, total_epochs=3).good
    whole = run(name, epochs=3, total_epochs=3).good
    (alone,) = run(name, epochs=1, total_epochs=1).good

    assert planned == whole[0]
    assert alone["validation_loss"] != planned["validation_loss"]


def test_the_learning_rate_rises_and_falls_linearly_to_zero(script):
    args = script.train.parse_args(
        ["--task_name=rte", "--epochs=1", "--total_epochs=2", "--warmup_ratio=0.3", "--learning_rate=8"]
    )
    rates = [script.train.learning_rate(args, step, steps_per_epoch=5) for step in range(10)]

    assert rates == pytest.approx([2, 4, 6, 8, 8 * 6 / 7, 8 * 5 / 7, 8 * 4 / 7, 8 * 3 / 7, 8 * 2 / 7, 8 / 7])


@pytest.mark.process
def test_a_run_cannot_go_beyond_its_plan(run):
    training = run("finetune_transformer_glue_rte", epochs=3, total_epochs=2)

    assert (training.code, training.reports) == (2, [])
    assert "--epochs=3" in training.err
    assert "--total_epochs=2" in training.err


@pytest.mark.parametrize("name", or_slow(BENCHMARKS, REPRESENTATIVE))
@pytest.mark.process
def test_every_tuned_hyperparameter_changes_the_training(name, run):
    settings = configuration(name)
    assert set(settings) == set(load_config(name, "RS").space.domains)

    baseline = run(name, epochs=2).good[-1]["validation_loss"]
    for hyperparameter, alternatives in changed(name, settings):
        losses = [run(name, epochs=2, **alternative).good[-1]["validation_loss"] for alternative in alternatives]
        assert any(loss != baseline for loss in losses), hyperparameter


@pytest.mark.process
def test_each_of_the_nine_encoders_is_another_model(run):
    name = "finetune_transformer_glue_modsel_rte"
    values = load_config(name, "RS").benchmark.config_space["model_name_or_path"]["values"]
    losses = {run(name, epochs=1, model_name_or_path=encoder).good[0]["validation_loss"] for encoder in values}

    assert set(values) == set(ENCODERS)
    assert len(losses) == 9


@pytest.mark.parametrize(("task", "least"), [("sst2", 0.8), ("stsb", 0.6)])
@pytest.mark.process
def test_an_encoder_learns_to_tell_good_words_from_bad_ones(task, least, run, data, tmp_path):
    name = f"finetune_transformer_glue_{task}"
    (tmp_path / "models").symlink_to(data / "models")
    write_csv(tmp_path / "glue" / task / "train.csv", examples(task, 400))
    settings = {"learning_rate": 1e-2, "per_device_train_batch_size": 16}
    reports = run(name, epochs=10, total_epochs=10, data=tmp_path, **settings).good

    assert reports[-1][load_config(name, "RS").benchmark.metric] > least


@pytest.mark.process
def test_the_trial_seed_decides_the_metrics(run):
    first, again, other = (run("finetune_transformer_swag", epochs=1, seed=seed).good[0] for seed in (1, 1, 2))

    assert again == first
    assert other["train_loss"] != first["train_loss"]


@pytest.mark.parametrize("name", REPRESENTATIVE)
@pytest.mark.process
def test_a_diverged_run_reports_what_is_no_number_and_ends_before_its_last_epoch(name, run, tmp_path):
    settings = {"learning_rate": 1e38, "total_epochs": 20, "checkpoints": tmp_path}
    reports = run(name, epochs=9, **settings).good
    metric = load_config(name, "RS").benchmark.metric

    assert len(reports) < 9
    assert math.isnan(reports[-1][metric])
    assert [line["epoch"] for line in run(name, epochs=20, **settings).good] == [reports[-1]["epoch"]]


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHMARKS)
@pytest.mark.process
def test_every_method_tunes_it_to_the_end(name, workplace, data):
    complete_small_experiments(workplace, name, METHODS, data)


# ---- What is missing or wrong --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("benchmark", "missing", "place"),
    [
        ("finetune_transformer_glue_cola", "glue", "glue/cola/train.*"),
        ("finetune_transformer_swag", "swag", "swag/train.*"),
        ("distilbert_imdb", "aclImdb", "aclImdb/train"),
        ("finetune_transformer_glue_cola", "models", "models/bert-base-cased"),
    ],
)
@pytest.mark.process
def test_missing_data_or_weights_end_the_run_with_one_sentence(benchmark, missing, place, host, data, tmp_path):
    for folder in ("glue", "swag", "aclImdb", "models"):
        if folder != missing:
            (tmp_path / folder).symlink_to(data / folder)
    training = host.run(benchmark, data=tmp_path, **configuration(benchmark))

    assert (training.code, training.out, training.reports) == (1, "", [])
    assert str(tmp_path / place) in training.err
    assert len(training.err.splitlines()) == 1, training.err


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"sentence": ["a"], "label": ["perhaps"]}, "'perhaps' is none of 0, 1"),
        ({"sentence": ["a"], "label": [2]}, "'2' is none of 0, 1"),
        ({"text": ["a"], "label": [1]}, "none called 'sentence'"),
        ({"sentence": ["a"], "label": [-1]}, "no labelled examples"),
        ({"sentence": [], "label": []}, "(none)"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_named_with_its_fault(columns, fault, script, tmp_path):
    write_csv(tmp_path / "glue" / "sst2" / "train.csv", columns)
    with pytest.raises(SystemExit) as ending:
        script.tasks.read_examples(script.tasks.TASKS["sst2"], tmp_path)

    assert str(tmp_path / "glue" / "sst2" / "train.csv") in ending.value.code
    assert fault in ending.value.code


@pytest.mark.slow
@pytest.mark.process
def test_weights_in_the_hub_s_cache_are_found_without_a_network(data, tmp_path, host, monkeypatch):
    """The layout of the cache is described in the documentation of huggingface_hub."""
    cached = tmp_path / "hub" / "models--bert-base-cased"
    shutil.copytree(data / "models" / "bert-base-cased", cached / "snapshots" / ("a" * 40))
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("a" * 40)
    (tmp_path / "glue").symlink_to(data / "glue")
    settings = configuration("finetune_transformer_glue_rte")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    other = TrialHost(tmp_path, [])
    try:
        (report,) = other.run("finetune_transformer_glue_rte", data=tmp_path, epochs=1, **settings).good
    finally:
        other.close()

    assert [report] == host.run("finetune_transformer_glue_rte", data=data, epochs=1, **settings).good


# ---- Data ----------------------------------------------------------------------------------------

WRITERS = {
    "official": lambda folder, task, columns: write_official(folder, task, columns),
    "parquet": lambda folder, task, columns: write_parquet(folder / task, columns),
    "saved": lambda folder, task, columns: write_saved(folder / task, columns),
    "csv": lambda folder, task, columns: write_csv(folder / task / "train.csv", columns),
    "jsonl": lambda folder, task, columns: write_jsonl(folder / task / "train.jsonl", columns),
}


@pytest.mark.parametrize("how", WRITERS)
@pytest.mark.parametrize("task", GLUE_FORMATS)
def test_every_format_of_a_glue_task_gives_the_same_examples(task, how, script, tmp_path):
    columns = examples(task)
    WRITERS[how](tmp_path / "glue", task, columns)
    found = script.tasks.read_examples(script.tasks.TASKS[task], tmp_path)
    texts = [values for name, values in columns.items() if name not in ("label", "idx")]

    assert found.first == texts[0]
    assert found.second == (texts[1] if len(texts) == 2 else None)
    assert found.labels == columns["label"]


@pytest.mark.parametrize("how", ["parquet", "csv", "jsonl"])
def test_every_format_of_swag_gives_a_pair_of_texts_for_each_ending(how, script, tmp_path):
    columns = swag(3, 0)
    WRITERS[how](tmp_path, "swag", columns)
    found = script.tasks.read_examples(script.tasks.TASKS["swag"], tmp_path)

    assert found.labels == columns["label"]
    assert found.first == [text for text in columns["sent1"] for _ in range(4)]
    assert found.second[5] == f"{columns['sent2'][1]} {columns['ending1'][1]}"


def test_imdb_is_the_same_as_text_files_and_as_parquet(script, data, tmp_path):
    write_parquet(tmp_path / "imdb" / "plain_text", imdb())
    task = script.tasks.TASKS["imdb"]

    assert script.tasks.read_examples(task, data) == script.tasks.read_examples(task, tmp_path)
    assert script.tasks.read_examples(task, data).labels == imdb()["label"]


def test_examples_without_an_agreed_label_are_left_out(script, tmp_path):
    columns = {"sentence1": ["a", "b", "c"], "sentence2": ["x", "y", "z"], "gold_label": ["neutral", "-", "entailment"]}
    write_csv(tmp_path / "glue" / "mnli" / "train.csv", columns)
    found = script.tasks.read_examples(script.tasks.TASKS["mnli"], tmp_path)

    assert (found.first, found.second, found.labels) == (["a", "c"], ["x", "z"], [1, 0])


def test_what_is_not_on_the_disk_is_asked_of_the_hub_once(script, tmp_path, monkeypatch):
    import datasets

    asked = []

    def load_dataset(*what, split):
        asked.append((*what, split))
        return datasets.Dataset.from_dict(examples("cola"))

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    first, second = (load(script, "cola", tmp_path) for _ in range(2))

    assert asked == [("nyu-mll/glue", "cola", "train")]
    assert first.labels.tolist() == second.labels.tolist() == examples("cola")["label"]


def load(script, task, folder, kind="bert", parts=("train",)):
    tokenizer = load.tokenizers.setdefault(kind, make_tokenizer(kind))
    cpu = torch.device("cpu")
    return script.encoding.load_encoded(task, script.tasks.TASKS[task], folder, parts, tokenizer, 128, cpu)


load.tokenizers = {}


def test_texts_are_encoded_once_and_again_when_the_file_changes(script, tmp_path, monkeypatch):
    encoded = []
    encode = script.encoding.encode
    monkeypatch.setattr(script.encoding, "encode", lambda *given: encoded.append(1) or encode(*given))
    file = tmp_path / "glue" / "sst2" / "train.csv"
    write_csv(file, {"sentence": ["the film", "a plot was"], "label": [0, 1]})
    first, second = (load(script, "sst2", tmp_path) for _ in range(2))
    assert len(encoded) == 1
    assert torch.equal(first.tokens, second.tokens)

    write_csv(file, {"sentence": ["the film was quite good"], "label": [0]})
    assert len(load(script, "sst2", tmp_path)) == 1
    assert len(load(script, "sst2", tmp_path, kind="roberta")) == 1, "another tokenizer"
    assert len(encoded) == 3
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_data_folder_that_cannot_be_written_to_is_only_read(script, tmp_path):
    write_csv(tmp_path / "glue" / "sst2" / "train.csv", {"sentence": ["the film"], "label": [1]})
    (tmp_path / "encoded").write_text("a file where the folder would be")

    assert load(script, "sst2", tmp_path).labels.tolist() == [1]


def test_the_split_is_the_same_for_all_and_leaves_nothing_out(script, data):
    whole = load(script, "stsb", data)  # nearly all labels are different
    torch.manual_seed(1)
    train, validation = script.encoding.split(whole, 0.7)
    torch.manual_seed(2)
    again = script.encoding.split(whole, 0.7)

    assert (len(train), len(validation)) == (50, 22)
    assert train.labels.tolist() == again[0].labels.tolist()
    assert sorted([*train.labels.tolist(), *validation.labels.tolist()]) == sorted(whole.labels.tolist())


@pytest.mark.parametrize("kind", ["bert", "distilbert", "xlnet"])
@pytest.mark.parametrize("task", ["mrpc", "swag"])
def test_a_batch_is_what_the_tokenizer_itself_would_pad(kind, task, script, data):
    texts = load(script, task, data, kind)
    found = script.tasks.read_examples(script.tasks.TASKS[task], data)
    choices = 4 if task == "swag" else 1
    batch = torch.tensor([3, 11, 4])
    rows = [choices * i + choice for i in batch.tolist() for choice in range(choices)]
    expected = load.tokenizers[kind](
        [found.first[row] for row in rows], [found.second[row] for row in rows], padding=True, return_tensors="pt"
    )
    inputs = texts.inputs(batch)

    assert set(inputs) == set(expected)
    for name, values in expected.items():
        assert torch.equal(inputs[name], values.view(3, 4, -1) if choices == 4 else values), name


def test_batches_hold_every_example_once_and_those_of_similar_length_together(script, data):
    texts = load(script, "qqp", data)
    torch.manual_seed(0)
    batches, others = texts.random_batches(10), texts.random_batches(10)

    assert [len(batch) for batch in sorted(batches, key=len)] == [2, *[10] * 7]
    assert sorted(torch.cat(batches).tolist()) == list(range(72))
    assert [batch.tolist() for batch in batches] != [batch.tolist() for batch in others]
    padded = sum(texts.inputs(batch)["attention_mask"].numel() for batch in batches)
    at_random = sum(texts.inputs(batch)["attention_mask"].numel() for batch in torch.randperm(72).split(10))
    assert texts.lengths.sum() <= padded < 0.85 * at_random


# ---- Metrics and optimizer -----------------------------------------------------------------------


def test_metrics_agree_with_scikit_learn_and_scipy(script):
    from scipy import stats
    from sklearn import metrics

    generator = np.random.default_rng(0)
    logits, labels = generator.normal(size=(60, 2)), generator.integers(2, size=60)
    answers = logits.argmax(axis=1)
    values = generator.integers(10, size=60) / 2  # with ties
    truth = values + generator.normal(size=60).round(1)
    scores = script.scores.SCORES
    tensors = torch.from_numpy(logits), torch.from_numpy(labels)

    assert scores["accuracy"](*tensors) == pytest.approx(metrics.accuracy_score(labels, answers))
    assert scores["f1"](*tensors) == pytest.approx(metrics.f1_score(labels, answers))
    assert scores["matthews_correlation"](*tensors) == pytest.approx(metrics.matthews_corrcoef(labels, answers))
    pair = torch.from_numpy(values), torch.from_numpy(truth)
    assert scores["pearson"](*pair) == pytest.approx(stats.pearsonr(values, truth).statistic)
    assert scores["spearmanr"](*pair) == pytest.approx(stats.spearmanr(values, truth).statistic)


def test_metrics_of_a_constant_answer(script):
    scores = script.scores.SCORES
    logits, labels = torch.tensor([[1.0, 0.0]] * 4), torch.tensor([0, 1, 1, 0])
    constant, varying = torch.full((4,), 0.1), torch.arange(4.0)

    assert [scores[name](logits, labels) for name in ("accuracy", "f1", "matthews_correlation")] == [0.5, 0, 0]
    assert math.isnan(scores["spearmanr"](constant, varying))
    assert math.isnan(scores["pearson"](constant, varying))
    assert math.isnan(scores["spearmanr"](torch.tensor([math.nan, 1.0, 2.0, 3.0]), varying))


def trained(optimizer, dtype=torch.float32, steps=40):
    torch.manual_seed(0)
    weight = torch.nn.Parameter(0.02 * torch.randn(500, dtype=dtype))
    optimizer = optimizer([{"params": [weight]}])
    for step in range(steps):
        optimizer.zero_grad()
        weight.grad = torch.randn(500, generator=torch.Generator().manual_seed(step)).to(dtype)
        optimizer.step()
    return weight.detach()


def test_the_optimizer_is_adamw(script):
    settings = {"lr": 1e-2, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}
    ours = trained(lambda groups: script.optimizer.AdamW(groups, **settings), torch.float64)
    torch_s = trained(lambda groups: torch.optim.AdamW(groups, **settings), torch.float64)

    torch.testing.assert_close(ours, torch_s, rtol=1e-12, atol=1e-14)


def test_a_small_weight_decay_is_not_lost_to_rounding(script):
    """`1 - lr * weight_decay` is 1 in single precision here."""
    settings = {"lr": 1e-4, "betas": (0.9, 0.999), "eps": 1e-8}
    ours = [trained(lambda groups, w=w: script.optimizer.AdamW(groups, **settings, weight_decay=w)) for w in (0, 1e-4)]
    torch_s = [trained(lambda groups, w=w: torch.optim.AdamW(groups, **settings, weight_decay=w)) for w in (0, 1e-4)]

    assert not torch.equal(*ours)
    assert torch.equal(*torch_s), "were torch's own different, it could be used"


def test_biases_and_norms_do_not_decay(script, data, monkeypatch):
    write_encoders(data, ["bert-base-cased"])
    args = script.train.parse_args(["--task_name=rte", "--weight_decay=0.5"])
    _, model = script.train.load_pretrained("bert-base-cased", script.tasks.TASKS["rte"], data)
    decay = {
        id(weight): group["weight_decay"]
        for group in script.train.build_optimizer(args, model).param_groups
        for weight in group["params"]
    }
    for name, weight in model.named_parameters():
        assert decay[id(weight)] == (0.0 if name.endswith("bias") or "LayerNorm" in name else 0.5), name


# ---- Benchmark files -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_file_has_syne_tune_s_space_first_point_and_budget(name):
    config = load_config(name, "RS").benchmark
    space = json.loads(json.dumps(config.config_space))
    rate = {"type": "float", "lower": 1e-6, "upper": 1e-4, "log": True}
    half = {"type": "float", "lower": 0.0, "upper": 0.5}
    if name == "distilbert_imdb":
        expected, first, epochs, seconds = {"learning_rate": rate, "weight_decay": rate}, None, 15, 10800
    elif name == "finetune_transformer_swag":
        beta = {"type": "float", "lower": 0.0, "upper": 0.9999}
        expected = {
            "learning_rate": rate,
            "warmup_ratio": half,
            "weight_decay": {"type": "float", "lower": 0.0, "upper": 0.1},
            "adam_beta1": beta,
            "adam_beta2": beta,
            "adam_epsilon": {"type": "float", "lower": 1e-10, "upper": 1e-6, "log": True},
            "max_grad_norm": {"type": "float", "lower": 0.0, "upper": 2.0},
        }
        first = {
            "learning_rate": 5e-5, "warmup_ratio": 0.0, "weight_decay": 0.0, "adam_beta1": 0.9, "adam_beta2": 0.999,
            "adam_epsilon": 1e-8, "max_grad_norm": 1.0,
        }  # fmt: skip
        epochs, seconds = 3, 18000
    else:
        size = {"type": "int", "lower": 16, "upper": 48}
        expected = {"learning_rate": rate, "per_device_train_batch_size": size, "warmup_ratio": half}
        first = {"learning_rate": 2e-5, "per_device_train_batch_size": 32, "warmup_ratio": 0.0}
        epochs, seconds = 3, 2700
        if "modsel" in name:
            expected["model_name_or_path"] = {"type": "choice", "values": list(ENCODERS)}
            first["model_name_or_path"] = "bert-base-cased"

    assert space == expected
    assert config.points_to_evaluate == (first and [first])
    assert (config.arguments["epochs"], config.arguments["total_epochs"]) == (epochs, epochs)
    assert (config.max_wallclock_time, config.n_workers, config.num_gpus_per_trial) == (seconds, 4, 1)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_script_accepts_what_its_benchmark_file_passes(name, script):
    config = load_config(name, "RS").benchmark
    arguments = {**config.arguments, **configuration(name)}
    parsed = vars(script.train.parse_args([f"--{key}={value}" for key, value in arguments.items()]))

    assert {key: parsed[key] for key in arguments} == arguments
    for module in config.preload:
        assert importlib.util.find_spec(module) is not None
