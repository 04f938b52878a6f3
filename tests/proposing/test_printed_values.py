"""Values that a script prints, and patterns that find them in its output."""

import ast
import re

import pytest

from hpo.config.choices import ReportChannel
from hpo.proposing.printed_values import read_formats, read_prints
from hpo.proposing.report_reader import read_output
from hpo.proposing.source import Source, read_sources


@pytest.fixture
def printed(tmp_path):
    def of(text):
        (tmp_path / "train.py").write_text(text)
        return {value.name: value for value in read_prints(read_sources(tmp_path / "train.py"))}

    return of


@pytest.mark.parametrize(
    "text",
    [
        "print(f'Valid loss: {x:.4f}, lr {y}')",
        "print('Valid loss: {:.4f}, lr {}'.format(x, y))",
        "print('Valid loss: {a:.4f}, lr {b}'.format(a=x, b=y))",
        "print('Valid loss: %.4f, lr %s' % (x, y))",
        "print('Valid loss: ' + str(x) + ', lr ' + str(y))",
        "print('Valid loss:', x, ', lr', y)",
        "LABEL = 'Valid loss'\nprint(LABEL + ':', x, ', lr', y)",
        "import click\nclick.echo(f'Valid loss: {x}, lr {y}')",
        "from tqdm import tqdm\ntqdm.write(f'Valid loss: {x}, lr {y}')",
        "import sys\nsys.stdout.write(f'start\\n  Valid loss: {x}, lr {y}\\n')",
    ],
)
def test_a_value_is_called_by_the_label_before_it_however_it_is_printed(printed, text):
    found = printed(text)
    assert list(found) == ["valid_loss", "valid_lr"]
    line = "  Valid loss:   1.5e-05, lr 0.1"
    assert re.search(found["valid_loss"].pattern, line)[1] == "1.5e-05"
    assert re.search(found["valid_lr"].pattern, line)[1] == "0.1"


def test_a_label_that_is_part_of_another_is_told_from_it(printed):
    found = printed("print(f'epoch {e} | loss {a}')\nprint(f'end | test loss {b}')\n")
    lines = ["epoch 3 | loss 0.5", "end | test loss 0.25", "lossless 7"]
    hits = {name: [m[1] for line in lines if (m := re.search(v.pattern, line))] for name, v in found.items()}
    assert hits == {"epoch": ["3"], "loss": ["0.5"], "test_loss": ["0.25"]}


def test_a_label_that_begins_its_line_and_comes_again_in_it_is_the_first_one(printed):
    found = printed(
        "print(f'step {s} | loss {a} | step time {t}ms')\nprint(f'step {s} train loss: {a} test loss: {b}')\n"
    )
    lines = ["step 30 | loss 0.5 | step time 7.5ms", "step 30 train loss: 0.25 test loss: 0.125"]
    hits = {name: [m[1] for line in lines if (m := re.search(v.pattern, line))] for name, v in found.items()}
    assert hits["step"] == ["30", "30"]
    assert (hits["train_loss"], hits["test_loss"]) == (["0.25"], ["0.125"])


def test_which_data_a_value_is_of_stands_at_the_beginning_of_its_line(printed):
    assert list(printed("print(f'Test set: Average loss: {x}, Accuracy: {a}/{n}')")) == [
        "test_average_loss",
        "test_accuracy",
    ]
    assert printed("print(f'Accuracy: {a}/{n}')")["accuracy"].counted


def test_sentences_and_what_goes_elsewhere_are_no_values(printed):
    text = "import sys\nprint(f'loss: {x}', file=log)\nprint(f'we have now reached a loss of {x}')\nprint(x, y)\n"
    assert printed(text) == {}


PROGRAM = "".join(
    f"{text}\0"
    for text in (
        "\x7fELF..",
        "epochs: %d\n",
        "loss function: %s\n",
        "] %d%% | epoch: %d/%d | error: %.6f\r",
        "epoch %d/%d | test loss: %g",
    )
)


def test_formats_of_a_compiled_program_are_values_where_a_line_has_a_resource_too():
    found = {value.name: value for value in read_formats(PROGRAM, where="in its text")}
    assert list(found) == ["epoch", "error", "test_loss"]
    assert found["error"].where == "in its text: ] %d%% | epoch: %d/%d | error: %.6f"
    for line, epoch in (("] 1% | epoch: 3/9 | error: 0.5", "3"), ("epoch 4/9 | test loss: 0.5", "4")):
        assert re.search(found["epoch"].pattern, line)[1] == epoch


def test_formats_count_in_sources_too_and_texts_are_no_values():
    found = read_formats('printf "loss %g of %s\\n" "$loss" "$name"; printf "kind: %s"', where="in its text")
    assert [value.name for value in found] == ["loss"]


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
