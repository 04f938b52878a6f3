"""On which stream a script prints and logs, as Python's logging, Hydra and others have it."""

import ast
import re

import pytest

from hpo.config.choices import ReportChannel
from hpo.proposing.printed_reports import read_output
from hpo.proposing.source import Source

STDERR = "import logging\nlogging.basicConfig(level=logging.INFO)\n"


def heard(text, tmp_path):
    return read_output([Source(tmp_path / "train.py", ast.parse(text))])


@pytest.mark.parametrize(
    "call",
    [
        'logging.info("val_loss: %.3f", x)',
        'self.logger.log(f"Epoch {x}: val_loss: {x}")',
        'logging.log(20, "val_loss: %.3f" % x)',
        'logging.getLogger(__name__).info("no"); log = logging.getLogger("a"); log.info(f"val_loss: {x}")',
        'class A:\n    def go(self): self.logger.info("val_loss: {:.3f}".format(x))',
        'chatty = logging.getLogger("a"); chatty.warning("val_loss: " + str(x))',
        "import sys; print('val_loss:', x, file=sys.stderr)",
    ],
)
def test_what_a_logger_writes_is_searched_on_standard_error(call, tmp_path):
    found = heard(STDERR + call, tmp_path)
    assert (found.channel, found.metrics) == (ReportChannel.stderr, ["val_loss"])


@pytest.mark.parametrize(
    "setup",
    [
        "import logging, sys\nlogging.basicConfig(stream=sys.stdout, level=20)\n",
        "import logging, sys\nlogging.getLogger().addHandler(logging.StreamHandler(sys.stdout))\n",
        "import logging, hydra\n@hydra.main(version_base=None)\ndef main(config): ...\n",
    ],
)
def test_a_logger_of_standard_output_is_searched_there(setup, tmp_path):
    assert heard(setup + 'logging.info("val_loss: %f", x)', tmp_path).channel == ReportChannel.stdout


@pytest.mark.parametrize("setup", ["", "logging.basicConfig(filename='a.log')\n"])
def test_a_logger_that_prints_nowhere_is_no_report(setup, tmp_path):
    assert not heard(f'import logging\n{setup}logging.info("val_loss: %f", x)', tmp_path).names


def test_values_on_another_stream_than_the_metric_are_left_out(tmp_path):
    found = heard(
        STDERR + "for epoch in range(3):\n  print('epoch', epoch)\n  logging.info('val_loss %f', x)\n", tmp_path
    )
    assert found.names == ["val_loss"]


def test_logged_lines_that_share_a_label_are_told_apart_behind_their_time(tmp_path):
    text = STDERR + "logging.info('Train epoch loss: %f', x)\nlogging.info('Eval epoch loss: %f', x)\n"
    found = heard(text, tmp_path)
    pattern = found.patterns["eval_epoch_loss"][0] if "eval_epoch_loss" in found.patterns else None
    assert pattern is not None, found.patterns
    assert re.search(pattern, "INFO:root:Eval epoch loss: 0.5")[1] == "0.5"
    assert re.search(pattern, "INFO:root:Train epoch loss: 0.5") is None


def test_an_epoch_that_is_counted_on_in_the_text_begins_at_one(tmp_path):
    text = "for epoch in range(n):\n    print(f'epoch {epoch + 1} val_acc {acc:.4f}')\n"
    found = heard(text, tmp_path)
    assert (found.resource, found.metrics, found.first) == ("epoch", ["val_acc"], 1)
