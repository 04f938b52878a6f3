"""The training scripts on small data: resuming, seeds, hyperparameters, missing data, benchmark files."""

import gzip
import importlib.util
import json
import math
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.support.marks import or_slow

pytestmark = pytest.mark.process

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ["mlp_digits", "mlp_fashionmnist", "resnet_cifar10"]

# Small and cheap settings inside each search space, and for each hyperparameter a different value.
SMALL = {
    "mlp_digits": {
        "learning_rate": 0.01, "n_units": 16, "n_layers": 1, "dropout": 0.1, "weight_decay": 1e-3,
        "batch_size": 128, "activation": "relu",
    },
    "mlp_fashionmnist": {
        "n_units_1": 16, "n_units_2": 8, "batch_size": 32, "dropout_1": 0.1, "dropout_2": 0.1,
        "learning_rate": 0.01, "weight_decay": 1e-3,
    },
    "resnet_cifar10": {"batch_size": 8, "momentum": 0.9, "weight_decay": 1e-3, "lr": 0.05},
}  # fmt: skip
CHANGED = {
    "mlp_digits": {
        "learning_rate": 0.02, "n_units": 17, "n_layers": 2, "dropout": 0.2, "weight_decay": 0.1,
        "batch_size": 64, "activation": "tanh",
    },
    "mlp_fashionmnist": {
        "n_units_1": 17, "n_units_2": 9, "batch_size": 16, "dropout_1": 0.3, "dropout_2": 0.3,
        "learning_rate": 0.02, "weight_decay": 0.1,
    },
    "resnet_cifar10": {"batch_size": 16, "momentum": 0.5, "weight_decay": 1e-5, "lr": 0.02},
}  # fmt: skip


def benchmark(name):
    return yaml.safe_load((ROOT / "conf" / "benchmark" / f"{name}.yaml").read_text())


@pytest.fixture(scope="session")
def scripts():
    """Each training script as a module, so that most cases share one interpreter."""
    modules = {}
    for name in BENCHMARKS:
        spec = importlib.util.spec_from_file_location(name, ROOT / benchmark(name)["script"])
        modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(modules[name])
    return modules


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """240 images in Fashion-MNIST's format and 20 in CIFAR-10's, bright where the label says so."""
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)

    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    labels = generator.integers(10, size=240, dtype=np.uint8)
    images = generator.integers(128, size=(240, 28, 28), dtype=np.uint8)
    images[np.arange(240), labels] += 127
    image_file = struct.pack(">4B3I", 0, 0, 8, 3, 240, 28, 28) + images.tobytes()
    label_file = struct.pack(">4BI", 0, 0, 8, 1, 240) + labels.tobytes()
    (raw / "train-images-idx3-ubyte").write_bytes(image_file)
    (raw / "train-labels-idx1-ubyte").write_bytes(label_file)
    (raw / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(label_file))

    binary = folder / "cifar-10-batches-bin"
    binary.mkdir()
    records = generator.integers(256, size=(20, 3073), dtype=np.uint8)
    records[:, 0] %= 10
    records[:12].tofile(binary / "data_batch_1.bin")
    records[12:].tofile(binary / "data_batch_2.bin")
    return folder


def options(name, data, epochs, **changed):
    settings = SMALL[name] | {"epochs": epochs} | changed
    if name != "mlp_digits":
        settings = {"data": data} | settings
    return [f"--{key}={value}" for key, value in settings.items()]


@pytest.fixture
def run(scripts, data, tmp_path, monkeypatch):
    """Run a script inside this process, give back what it reported."""

    def run(name, epochs=1, seed=0, checkpoints=None, **changed):
        file = tmp_path / "reports.jsonl"
        file.unlink(missing_ok=True)
        monkeypatch.setenv("HPO_REPORT_FILE", str(file))
        monkeypatch.setenv("HPO_TRIAL_SEED", str(seed))
        if checkpoints is None:
            monkeypatch.delenv("HPO_CHECKPOINT_DIR", raising=False)
        else:
            monkeypatch.setenv("HPO_CHECKPOINT_DIR", str(checkpoints))
        scripts[name].main(options(name, changed.pop("data", data), epochs, **changed))
        return [json.loads(line) for line in file.read_text().splitlines()]

    return run


def start(name, arguments, **environment):
    """Run a script as the tuner does: a process of its own."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("HPO_")}
    env |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(torch.get_num_threads())} | environment
    command = [sys.executable, "-W", "error", str(ROOT / benchmark(name)["script"]), *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_run_stopped_after_each_epoch_repeats_an_uninterrupted_run_to_the_last_bit(name, run, tmp_path):
    uninterrupted = run(name, epochs=3)
    pieces = [run(name, epochs=epochs, checkpoints=tmp_path / "checkpoints") for epochs in (1, 2, 3)]

    assert [line["epoch"] for line in uninterrupted] == [1, 2, 3]
    one, two, three = uninterrupted
    assert pieces == [[one], [one, two], [two, three]]  # what was reported last is reported again


@pytest.mark.parametrize("name", or_slow(BENCHMARKS, BENCHMARKS[:1]))
def test_a_process_of_its_own_prints_only_its_reports_and_can_be_resumed(name, run, data, tmp_path):
    environment = {"HPO_CHECKPOINT_DIR": str(tmp_path / "checkpoints"), "HPO_TRIAL_SEED": "7"}
    first = start(name, options(name, data, 1), **environment)
    second = start(name, options(name, data, 2), **environment)

    for process in (first, second):
        assert (process.returncode, process.stderr) == (0, "")
    one, two = run(name, epochs=2, seed=7)
    assert [json.loads(line) for line in first.stdout.splitlines()] == [one]
    assert [json.loads(line) for line in second.stdout.splitlines()] == [one, two]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_trial_seed_decides_the_metrics(name, run):
    baseline = run(name, seed=1)

    assert run(name, seed=1) == baseline
    assert run(name, seed=2)[0]["train_loss"] != baseline[0]["train_loss"]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_tuned_hyperparameter_changes_the_training(name, run):
    assert set(CHANGED[name]) == set(benchmark(name)["config_space"])

    baseline = run(name)
    for hyperparameter, value in CHANGED[name].items():
        changed = run(name, **{hyperparameter: value})
        assert changed[0]["validation_loss"] != baseline[0]["validation_loss"], hyperparameter


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_trial_restarted_at_its_last_epoch_reports_that_epoch_again_and_ends(name, run, tmp_path):
    """A kill between checkpoint and report must not lose the result."""
    reports = run(name, epochs=1, checkpoints=tmp_path / "checkpoints")

    assert run(name, epochs=1, checkpoints=tmp_path / "checkpoints") == reports


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_diverged_run_reports_chance_level_and_ends_before_its_last_epoch(name, run, tmp_path):
    rate = "lr" if name == "resnet_cifar10" else "learning_rate"
    settings = {"checkpoints": tmp_path / "checkpoints", rate: 1e38}
    reports = run(name, epochs=9, **settings)

    assert len(reports) < 9
    assert not math.isfinite(reports[-1]["train_loss"])
    assert 0 <= reports[-1]["accuracy"] < 0.5
    assert [line["epoch"] for line in run(name, epochs=20, **settings)] == [reports[-1]["epoch"]]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_script_accepts_what_its_benchmark_file_passes(name, scripts):
    definition = benchmark(name)
    arguments = definition["arguments"] | SMALL[name]

    parsed = vars(scripts[name].parse_args([f"--{key}={value}" for key, value in arguments.items()]))

    # One script has two benchmarks: the other one tunes the optimizer, too.
    others = set(benchmark("mlp_digits_optimizers")["config_space"]) if name == "mlp_digits" else set()
    assert set(parsed) == set(definition["config_space"]) | set(definition["arguments"]) | others
    assert parsed["epochs"] == definition["arguments"]["epochs"]
    for key, domain in definition["config_space"].items():
        kind = {"float": float, "int": int, "choice": str}[domain["type"]]
        assert type(parsed[key]) is kind, key
        for value in domain.get("values", []):
            scripts[name].parse_args([f"--{key}={value}"])


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_file_is_complete_and_typed(name):
    definition = benchmark(name)

    assert set(definition) == {
        "name", "script", "metric", "mode", "resource_attr", "max_resource_attr", "config_space",
        "arguments", "n_workers", "max_wallclock_time", "max_num_trials", "num_gpus_per_trial",
        "instance_type", "framework", "preload",
    }  # fmt: skip
    assert definition["name"] == name
    assert definition["max_resource_attr"] in definition["arguments"]
    for domain in definition["config_space"].values():
        for bound in ("lower", "upper"):
            if domain["type"] != "choice":
                assert type(domain[bound]) is {"float": float, "int": int}[domain["type"]]
    for module in definition["preload"]:
        assert importlib.util.find_spec(module) is not None


def test_the_digits_are_split_the_same_way_for_all_with_every_class_in_each_part(scripts):
    script = scripts["mlp_digits"]
    _, train_labels, _, validation_labels = script.split_digits(*script.load_digits(), torch.device("cpu"))

    assert len(train_labels) + len(validation_labels) < 0.81 * 1797, "a fifth is kept for the test"
    assert train_labels.bincount().min() > 100
    assert validation_labels.bincount().min() > 30


def test_each_optimizer_of_the_digits_takes_its_own_options_and_no_other(scripts, capsys):
    script = scripts["mlp_digits"]
    given = {"sgd": ["--momentum=0.75"], "adamw": ["--beta2=0.9375"]}
    for optimizer, options in given.items():
        args = script.parse_args([f"--optimizer={optimizer}", *options])
        (group,) = script.build_optimizer(args, script.build_model(args)).param_groups
        assert {"sgd": group.get("momentum"), "adamw": group.get("betas", (0, 0))[1]}[optimizer] in (0.75, 0.9375)
        with pytest.raises(SystemExit):
            script.parse_args([f"--optimizer={optimizer}", *options, *given["sgd"], *given["adamw"]])
        assert "only --optimizer=" in capsys.readouterr().err
    (group,) = script.build_optimizer(args := script.parse_args([]), script.build_model(args)).param_groups
    assert (type(group["betas"]), group["betas"], group["lr"]) == (tuple, (0.9, 0.999), 3e-3)


def test_the_default_digits_run_is_accurate(run):
    reports = run("mlp_digits", epochs=27, **{
        "learning_rate": 3e-3, "n_units": 128, "n_layers": 2, "dropout": 0.3, "weight_decay": 1e-4,
        "batch_size": 32, "activation": "gelu",
    })  # fmt: skip

    assert max(line["accuracy"] for line in reports) > 0.96


def test_the_best_accuracy_so_far_survives_a_resume(run, tmp_path):
    rates = {"learning_rate": 0.1, "dropout_1": 0.9}  # accuracy goes up and down
    current = [line["accuracy"] for line in run("mlp_fashionmnist", epochs=6, **rates)]
    rates["report_current_best"] = True
    best = [line["accuracy"] for line in run("mlp_fashionmnist", epochs=6, **rates)]
    resumed = []
    for epochs in range(1, 7):
        lines = run("mlp_fashionmnist", epochs=epochs, checkpoints=tmp_path / "checkpoints", **rates)
        resumed.append(lines[-1]["accuracy"])

    assert current != sorted(current), "the setting does not exercise the option"
    assert resumed == best == list(np.maximum.accumulate(current))


def test_fashionmnist_validates_on_the_last_sixth_whole(scripts, data):
    images, labels, validation_images, validation_labels = scripts["mlp_fashionmnist"].load_data(
        data, torch.device("cpu")
    )

    assert (len(images), len(labels), len(validation_images), len(validation_labels)) == (200, 200, 40, 40)
    assert images.shape[1] == 784
    assert images.max() <= 1


def test_fashionmnist_reads_compressed_files_like_raw_ones(scripts, data):
    raw = data / "FashionMNIST" / "raw"
    read_idx = scripts["mlp_fashionmnist"].read_idx

    np.testing.assert_array_equal(
        read_idx(raw / "train-labels-idx1-ubyte.gz"), read_idx(raw / "train-labels-idx1-ubyte")
    )


def test_cifar_images_keep_their_channels_and_the_last_fifth_validates(scripts, data):
    records = np.fromfile(data / "cifar-10-batches-bin" / "data_batch_2.bin", np.uint8).reshape(-1, 3073)
    bordered, train_labels, validation_images, validation_labels = scripts["resnet_cifar10"].load_data(
        data, torch.device("cpu")
    )

    assert (len(bordered), len(train_labels), len(validation_images)) == (16, 16, 4)
    np.testing.assert_array_equal(validation_labels, records[-4:, 0])
    red_plane = records[-1, 1:1025].reshape(32, 32)
    np.testing.assert_array_equal(validation_images[-1, :, :, 0], red_plane)
    assert bordered[:, :4].sum() == 0


def test_augmentation_takes_crops_of_the_bordered_image_half_of_them_flipped(scripts):
    script = scripts["resnet_cifar10"]
    image = torch.arange(40 * 40 * 3, dtype=torch.int32).reshape(1, 40, 40, 3)
    crops = script.augmented(image, torch.zeros(400, dtype=torch.int64))
    corners, flips = set(), 0
    for crop in crops:
        flipped = bool(crop[0, 0, 0] > crop[0, 1, 0])
        upright = crop.flip(1) if flipped else crop
        row, column = divmod(int(upright[0, 0, 0]) // 3, 40)
        assert torch.equal(upright, image[0, row : row + 32, column : column + 32])
        corners.add((row, column))
        flips += flipped

    assert {row for row, _ in corners} == {column for _, column in corners} == set(range(9))
    assert 140 < flips < 260


def test_the_resnet_schedule_drops_after_epochs_25_and_40(scripts):
    rate = scripts["resnet_cifar10"].learning_rate
    rates = [rate(1.0, epoch) for epoch in (1, 25, 26, 40, 41)]

    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_fashionmnist_is_downloaded_once_and_shown_only_when_complete(scripts, data, tmp_path, monkeypatch):
    script, downloads = scripts["mlp_fashionmnist"], []

    def torchvision_dataset(folder, download):
        downloads.append(download)
        assert script.find_files(tmp_path) is None, "other trials see an unfinished download"
        shutil.copytree(data / "FashionMNIST", Path(folder) / "FashionMNIST")

    monkeypatch.setattr(script, "DEBIAN_PACKAGE", tmp_path / "absent")
    monkeypatch.setattr("torchvision.datasets.FashionMNIST", torchvision_dataset)
    for _ in range(2):
        script.download(tmp_path)

    assert downloads == [True]
    assert len(script.load_data(tmp_path, torch.device("cpu"))[0]) == 200


def test_the_python_version_of_cifar_is_downloaded_where_it_is_missing(scripts, tmp_path, monkeypatch):
    class TorchvisionDataset:
        def __init__(self, _root, download=False):
            if not download:
                raise RuntimeError("Dataset not found or corrupted")
            self.data, self.targets = np.zeros((10, 32, 32, 3), np.uint8), list(range(10))

    monkeypatch.setattr("torchvision.datasets.CIFAR10", TorchvisionDataset)
    bordered, _, _, validation_labels = scripts["resnet_cifar10"].load_data(tmp_path, torch.device("cpu"))

    assert bordered.shape == (8, 40, 40, 3)
    assert validation_labels.tolist() == [8, 9]


def test_missing_cifar_data_end_the_process_with_one_sentence(tmp_path):
    nowhere = "http://127.0.0.1:9"
    process = start("resnet_cifar10", [f"--data={tmp_path}"], http_proxy=nowhere, https_proxy=nowhere, no_proxy="")

    assert (process.returncode, process.stdout) == (1, "")
    assert str(tmp_path) in process.stderr
    assert len(process.stderr.splitlines()) == 1, process.stderr


@pytest.mark.parametrize("cause", ["no torchvision", "no network"])
def test_missing_fashionmnist_data_end_the_run_with_one_sentence(cause, scripts, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(scripts["mlp_fashionmnist"], "DEBIAN_PACKAGE", tmp_path)
    if cause == "no torchvision":
        monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    else:
        for variable in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(variable, "http://127.0.0.1:9")

    with pytest.raises(SystemExit) as ending:
        scripts["mlp_fashionmnist"].main([f"--data={tmp_path / 'data'}"])

    assert str(tmp_path / "data" / "FashionMNIST" / "raw") in ending.value.code
    assert len(ending.value.code.splitlines()) == 1
    assert capfd.readouterr().out == ""


def test_digits_without_scikit_learn_end_the_run_with_one_sentence(scripts, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)

    with pytest.raises(SystemExit) as ending:
        scripts["mlp_digits"].main([])

    assert "pip install scikit-learn" in ending.value.code


@pytest.mark.parametrize("name", BENCHMARKS)
def test_an_unknown_option_is_refused(name, scripts, capsys):
    with pytest.raises(SystemExit):
        scripts[name].parse_args(["--learning_rat=0.1"])
    assert "--learning_rat" in capsys.readouterr().err
