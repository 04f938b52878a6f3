"""What a script reports, read from its source."""

import pytest

from hpo.config.choices import ReportChannel
from hpo.proposing.report_reader import read_output, read_reports
from hpo.proposing.source import read_sources

BY_NAME = "import hpo\nhpo.report(epoch=1, train_loss=2, val_loss=3)\n"
OTHER_NAME = "from hpo import report as tell\ntell({'epoch': 1, 'train_loss': 2, 'val_loss': 3})\n"
NAMED = "import hpo\nm = {'epoch': 1, 'train_loss': 2}\nm['val_loss'] = 3\nhpo.report(**m)\n"
BY_DICT = "import hpo\nm = dict(epoch=1, train_loss=2)\nhpo.report({**m, 'val_loss': 3})\n"
CONSTANTS = "import hpo\nE, L = 'x', 1\nEPOCH = 'epoch'\nhpo.report(**{EPOCH: 1, 'train_loss': 2, 'val_loss': 3})\n"


@pytest.mark.parametrize("text", [BY_NAME, OTHER_NAME, NAMED, BY_DICT, CONSTANTS])
def test_names_are_read_however_they_are_given(tmp_path, text):
    script = tmp_path / "train.py"
    script.write_text(text)
    reported = read_reports(script)
    assert reported.resource == "epoch"
    assert reported.metrics == ["val_loss", "train_loss"]
    assert reported.where == f"line {len(text.splitlines())}"


def test_syne_tunes_reporter_is_another_channel(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "from syne_tune import Reporter\nclass A:\n  def f(self):\n    self.r = Reporter()\n    self.r(step=1, acc=2)\n"
    )
    reported = read_reports(script)
    assert (reported.channel, reported.resource, reported.metrics) == (ReportChannel.syne_tune, "step", ["acc"])


def test_reports_to_ray_are_not_heard(tmp_path):
    script = tmp_path / "train.py"
    script.write_text("from ray import tune\ntune.report({'loss': 1})\n")
    assert read_reports(script).elsewhere == "ray.tune.report"


def test_another_program_shows_the_keys_of_its_lines(tmp_path):
    script = tmp_path / "train.sh"
    script.write_text('echo "{\\"epoch\\": $e, \\"loss\\": $l}" >> "$HPO_REPORT_FILE"\n')
    assert read_reports(script).names == ["epoch", "loss"]


def test_a_script_without_reports_has_none(tmp_path):
    script = tmp_path / "train.py"
    script.write_text("print({'loss': 1})\n")
    assert read_reports(script).names == ()


def test_a_mapping_that_is_made_of_itself_is_read_once(tmp_path):
    script = tmp_path / "train.py"
    script.write_text("import hpo\nm = {}\nm = {**m, 'epoch': 2}\nm['acc'] = 3\nhpo.report(**m)\n")
    assert read_reports(script).names == ["epoch", "acc"]


LINE = "print(f'Epoch: {epoch} loss: {x}')"


@pytest.fixture
def output(tmp_path):
    def of(text):
        (tmp_path / "train.py").write_text(text)
        return read_output(read_sources(tmp_path / "train.py"))

    return of


@pytest.mark.parametrize(
    ("loop", "line", "first"),
    [
        ("for epoch in range(9):", LINE, 0),
        ("for epoch in tqdm(range(9)):", LINE, 0),
        ("for epoch in range(1, 10):", LINE, 1),
        ("for epoch in range(9):", LINE.replace("{epoch}", "{epoch + 1}"), 1),
        ("for epoch, batch in enumerate(data):", LINE, 0),
        ("for epoch, batch in enumerate(data, 1):", LINE, 1),
        ("for epoch in range(start, 9):", LINE, 1),
        ("for step in range(9 * steps):", LINE.replace("{epoch}", "{step // steps}"), 0),
        ("for step in range(9 * steps):", LINE.replace("{epoch}", "{step // steps + 1}"), 1),
    ],
)
def test_where_a_loop_begins_to_count_is_seen(output, loop, line, first):
    found = output(f"{loop}\n    {line}\n")
    assert (found.channel, found.resource, found.metrics, found.first) == (
        ReportChannel.stdout,
        "epoch",
        ["loss"],
        first,
    )


def test_an_epoch_that_is_no_variable_of_a_loop_says_nothing_of_the_training(output):
    found = output("print(f'loaded (epoch {saved[0]})')\nprint(f'accuracy: {a}')\n")
    assert (found.resource, found.metrics) == (None, ["accuracy"])


def test_values_without_a_known_direction_are_only_named(output):
    found = output("print(f'Overall: {x}')\nprint(f'score: {y}')\n")
    assert (found.names, found.channel, found.unnamed) == ((), ReportChannel.file, ["overall", "score"])


def test_counts_and_times_are_no_metrics(output):
    assert output("print(f'accuracy: {a}/{n}')\nprint(f'loss time: {t}')\nprint(f'mae: {m}')").metrics == ["mae"]
