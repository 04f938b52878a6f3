"""The language models of WikiText-2 on small texts in its formats: resuming, hyperparameters, divergence, data."""

import importlib.util
import math
import os
import subprocess
import sys

import pytest

from hpo.config.reading import load_config
from tests.support.hosted import METHODS, ROOT, TrialHost, changed, complete_small_experiments
from tests.support.marks import or_slow
from tests.support.small_texts import write_wikitext

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.xdist_group("language"), pytest.mark.process]  # one host

BENCHMARKS = ["lstm_wikitext2", "transformer_wikitext2"]
SMALL = {
    # A rate at which the second epoch is worse than the first, so that lr_factor has something to do.
    "lstm_wikitext2": {"lr": 45.0, "dropout": 0.1, "batch_size": 16, "clip": 1.0, "lr_factor": 5.0},
    "transformer_wikitext2": {"lr": 1e-3, "dropout": 0.1, "batch_size": 16, "momentum": 0.5, "clip": 0.5},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_wikitext(folder)
    return folder


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    host = TrialHost(tmp_path_factory.mktemp("host"), load_config("lstm_wikitext2", "RS").benchmark.preload)
    yield host
    host.close()


@pytest.fixture
def run(host, data):
    def run(benchmark, **options):
        return host.run(benchmark, **{"data": data, **SMALL[benchmark], **options})

    return run


@pytest.fixture(scope="module")
def corpus():
    spec = importlib.util.spec_from_file_location("corpus", ROOT / "training_scripts" / "wikitext2" / "corpus.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_run_killed_after_each_checkpoint_repeats_an_uninterrupted_run_to_the_last_bit(name, run, tmp_path):
    one, two = run(name, epochs=2).good
    killed = [run(name, epochs=2, checkpoints=tmp_path, kill_before=n) for n in (1, 2)]
    last = run(name, epochs=2, checkpoints=tmp_path).good

    assert [line["epoch"] for line in (one, two)] == [1, 2]
    assert [(training.signal, training.reports) for training in killed] == [(9, []), (9, [one])]
    assert last == [two]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_run_paused_after_each_epoch_repeats_an_uninterrupted_run_to_the_last_bit(name, run, tmp_path):
    one, two, three = run(name, epochs=3).good
    pieces = [run(name, epochs=epochs, checkpoints=tmp_path).good for epochs in (1, 2, 3, 3)]

    assert pieces == [[one], [one, two], [two, three], [three]]


def test_the_learning_rate_that_the_lstm_fell_to_survives_a_pause(run, tmp_path):
    losses = [line["val_loss"] for line in run("lstm_wikitext2", epochs=5).good]
    for epochs in range(1, 6):
        resumed = run("lstm_wikitext2", epochs=epochs, checkpoints=tmp_path).good

    assert losses[:-1] != sorted(losses[:-1], reverse=True), "the learning rate never fell"
    assert resumed[-1]["val_loss"] == losses[-1]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_trial_seed_decides_the_metrics(name, run):
    first, again, other = (run(name, epochs=1, seed=seed).good[0] for seed in (1, 1, 2))

    assert again == first
    assert other["train_loss"] != first["train_loss"]


@pytest.mark.parametrize("name", or_slow(BENCHMARKS, BENCHMARKS[:1]))
def test_every_tuned_hyperparameter_changes_the_training(name, run):
    assert set(SMALL[name]) == set(load_config(name, "RS").space.domains)

    baseline = run(name, epochs=4).good[-1]["val_loss"]
    for hyperparameter, settings in changed(name, SMALL[name]):
        losses = [run(name, epochs=4, **setting).good[-1]["val_loss"] for setting in settings]
        assert all(loss != baseline for loss in losses), hyperparameter


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_diverged_run_reports_what_is_no_number_and_ends_before_its_last_epoch(name, run, tmp_path):
    settings = {"lr": 1e38, "clip": 1e38, "checkpoints": tmp_path}
    reports = run(name, epochs=9, **settings).good
    metric = load_config(name, "RS").benchmark.metric

    assert len(reports) < 9
    assert not math.isfinite(reports[-1][metric])
    again = run(name, epochs=20, **settings).good
    assert [line["epoch"] for line in again] == [reports[-1]["epoch"]]


def test_perplexity_is_the_exponential_of_the_validation_loss(run):
    (report,) = run("lstm_wikitext2", epochs=1, lr=1.0).good

    assert report["perplexity"] == pytest.approx(2.718281828459045 ** report["val_loss"])


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_model_that_has_learned_the_word_frequencies_beats_guessing(name, run):
    """The text is random, so that the frequencies of its words are all that can be learned."""
    rates = {"lr": 5.0} if name == "lstm_wikitext2" else {"optimizer_name": "adam", "momentum": 0.9, "lr": 1e-3}
    losses = [line["val_loss"] for line in run(name, epochs=6, **rates).good]

    assert losses[-1] < math.log(22), "guessing among the 22 frequent words gives this"


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        ("wikitext-2", ("train.txt", "valid.txt")),
        ("wikitext-2", ("wiki.train.tokens", "wiki.valid.tokens")),
        ("wikitext-2-raw", ("wiki.train.raw", "wiki.valid.raw")),
    ],
)
def test_every_layout_of_the_text_gives_the_same_numbers(folder, names, corpus, tmp_path):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / names[0]).write_text(" \n = A B = \n <unk> b A \n")
    (tmp_path / folder / names[1]).write_text(" b new A \n")
    train, validation, size = corpus.load_corpus(tmp_path)

    # <eos> 0, = 1, A 2, B 3, <unk> 4, b 5, in order of appearance; a word unknown to the training part is <unk>
    assert train.tolist() == [0, 1, 2, 3, 1, 0, 4, 5, 2, 0]
    assert validation.tolist() == [5, 4, 2, 0]
    assert size == 6


def test_columns_are_pieces_of_the_text_and_windows_pair_each_word_with_the_next(corpus):
    text = corpus.lay_out(torch.arange(11), 2, torch.device("cpu"))
    pairs = [(words.tolist(), following.tolist()) for words, following in corpus.windows(text, 3)]

    assert text.T.tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert pairs == [([[0, 5], [1, 6], [2, 7]], [[1, 6], [2, 7], [3, 8]]), ([[3, 8]], [[4, 9]])]


def test_the_transformer_sees_no_word_before_its_time(monkeypatch):
    folder = ROOT / "training_scripts" / "wikitext2"
    monkeypatch.syspath_prepend(str(folder))
    spec = importlib.util.spec_from_file_location("transformer_wikitext2", folder / "transformer.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    torch.manual_seed(0)
    model = script.LanguageModel(30, script.parse_args(["--d_model=8", "--bptt=6"])).eval()
    words = torch.randint(30, (6, 2))
    later_changed = words.clone()
    later_changed[4:] = (words[4:] + 1) % 30

    before, after = model(words), model(later_changed)
    torch.testing.assert_close(before[:4], after[:4])
    assert not torch.allclose(before[4:], after[4:])
    # sin and cos of position / 10000^(2i/8), at position 3
    expected = [f(3 / 10_000 ** (2 * i / 8)) for i in range(4) for f in (math.sin, math.cos)]
    assert model.positions[3, 0].tolist() == pytest.approx(expected, abs=1e-6)


def test_the_text_is_downloaded_once_and_shown_only_when_complete(corpus, tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.mkdir()
    (source / "train.txt").write_text("a b c\n")
    (source / "valid.txt").write_text("a b\n")
    monkeypatch.setattr(corpus, "SOURCE", source.as_uri() + "/")

    first = corpus.load_corpus(tmp_path / "data")
    (source / "train.txt").unlink()
    second = corpus.load_corpus(tmp_path / "data")

    assert first[0].tolist() == second[0].tolist() == [0, 1, 2, 3]
    assert [path.name for path in (tmp_path / "data").iterdir() if path.is_dir()] == ["wikitext-2"]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_missing_text_ends_the_process_with_one_sentence(name, tmp_path):
    script = ROOT / load_config(name, "RS").benchmark.script
    env = {**os.environ, "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    done = subprocess.run(
        [sys.executable, "-W", "error", script, f"--data={tmp_path}"], env=env, capture_output=True, text=True
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert str(tmp_path / "wikitext-2") in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_method_tunes_it_to_the_end(name, workplace, data):
    complete_small_experiments(workplace, name, METHODS, data)
