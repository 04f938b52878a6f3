"""What a Hydra app returns: a name for it, and how hpo hears of it."""

import ast

import pytest

import hpo
from hpo.config.yaml_files import read_plain
from hpo.proposing.returned_values import read_returned
from hpo.proposing.source import Source
from tests.conftest import succeeded

HEAD = "import hydra\n@hydra.main(version_base=None)\ndef main(config):\n"


def found(body, head=HEAD):
    text = head + "".join(f"    {line}\n" for line in body.splitlines())
    return read_returned([Source(None, ast.parse(text))])


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("return best_acc", ["best_acc"]),
        ("return float(val_loss.item())", ["val_loss"]),
        ("return metrics['val/acc'].mean()", ["val_acc"]),
        ("return trainer.callback_metrics.get('val_loss')", ["val_loss"]),
        ("result = metrics['f1']\nreturn result", ["f1", "result"]),
        ("return {'val_loss': a, 'accuracy': b}", ["val_loss", "accuracy"]),
        ("return float(model.accuracy(data))", ["accuracy"]),
        ("return -accuracy", ["minus_accuracy"]),
        ("def inner():\n    return loss\nreturn a + b", ["result"]),
        ("if config.dry:\n    return None\nreturn rmse", ["rmse"]),
    ],
)
def test_a_returned_number_is_called_as_the_source_calls_it(body, names):
    assert list(found(body).names) == names


@pytest.mark.parametrize("body", ["train(config)", "return", "return None", "def inner():\n    return loss"])
def test_an_app_that_returns_nothing_has_no_result(body):
    assert found(body) is None


def test_only_a_function_under_hydras_mark_returns_a_result():
    assert found("return loss", head="def main(config):\n") is None


def test_what_a_function_of_the_script_returns_has_its_name():
    assert list(found("return fit(config)", head=f"def fit(c):\n    return val_error\n{HEAD}").names) == ["val_error"]


APP = """import hydra

def fit(config):
    return 1 - (config.optimizer.lr - 0.01) ** 2 - 1 / config.epochs

@hydra.main(version_base=None, config_path=".", config_name="config")
def main(config):
    accuracy = fit(config)
    return accuracy

main()
"""


@pytest.mark.process
def test_the_returned_number_arrives_without_a_change_of_the_app(workplace):
    (workplace.path / "app.py").write_text(APP)
    (workplace.path / "config.yaml").write_text("optimizer: {lr: 0.1}\nepochs: 3\n")
    assert "to complete" not in succeeded(workplace.verb("init", "app.py"))
    path = workplace.path / "conf/benchmark/app.yaml"
    assert "# reports what line 9 returns" in path.read_text()
    content = read_plain(path)
    assert [content[key] for key in ("metric", "mode", "resource_attr", "max_resource_attr")] == [
        "accuracy", "max", "epoch", "epochs",
    ]  # fmt: skip
    succeeded(
        workplace.hpo("--config-dir", "conf", "benchmark=app", "method=ASHA", "max_num_trials=3", "experiment_tag=a")
    )
    reports = hpo.load_experiment(workplace.path / "outputs/a/app/ASHA/seed_0").reports
    for _, row in reports.iterrows():
        assert row["accuracy"] == pytest.approx(1 - (row["config_optimizer.lr"] - 0.01) ** 2 - 1 / row["epoch"])
    assert set(reports["epoch"]) == {1, 3}
