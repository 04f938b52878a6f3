"""What of a script's output is a report."""

import pytest

from hpo.config.choices import ReportChannel
from hpo.proposing.printed_reports import read_output
from hpo.proposing.source import read_sources

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
