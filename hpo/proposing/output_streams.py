"""The stream that a call of a script writes to: standard output, standard error or neither, for printing and for logging."""

import ast
import re
from collections.abc import Sequence

from hpo.config.choices import ReportChannel
from hpo.proposing.source import Source

_PRINTING = re.compile(
    r"(rich\.)?print|(click|typer)\.(secho|echo)|(tqdm|pbar)(\.\w+)*\.write|sys\.std(out|err)\.write|accelerator\.print"
)
_LOGGING = re.compile(r"(.*\.)?_?(log|logger|logging)\.(debug|info|warning|warn|error|critical|log)", re.IGNORECASE)
_TO_STDOUT = re.compile(r"(StreamHandler|basicConfig|logger\.add)\(.*sys\.stdout|RichHandler\(|Console\(")
_TO_STDERR = re.compile(r"basicConfig\(|StreamHandler\(|dictConfig\(|fileConfig\(|setup_logger\(|set_verbosity")
_LOGS_BY_ITSELF = ("absl", "loguru", "accelerate")
"""Packages whose loggers write to standard error unless they are told otherwise."""


def stream_of(source: Source, call: ast.Call, sources: Sequence[Source]) -> ReportChannel | None:
    """Return the stream on which a call prints or logs; None if it does neither, or writes elsewhere.

    Args:
        source: The file with the call.
        call: Any call in it.
        sources: All files of the program, one of which may configure logging.
    """
    name = source.full_name(call.func)
    if _PRINTING.fullmatch(name):
        given = source.keywords(call)
        file = ast.unparse(given["file"]) if "file" in given else "sys.stderr" if "stderr" in name else "sys.stdout"
        to_stderr = "err" in given and source.value(given["err"]) is not False
        return {"sys.stdout": _error_if(to_stderr), "sys.stderr": ReportChannel.stderr}.get(file)
    return _stream_of_logging(sources) if is_logging(source, call) else None


def _error_if(condition: bool) -> ReportChannel:
    return ReportChannel.stderr if condition else ReportChannel.stdout


def is_logging(source: Source, call: ast.Call) -> bool:
    """Whether a call passes a message to a logger, as `logger.info("loss = %f", loss)` does."""
    if not isinstance(call.func, ast.Attribute):
        return False
    owner = source.assigned.get(ast.unparse(call.func.value))
    known = owner is not None and re.search(r"get_?logger\(", ast.unparse(owner), re.IGNORECASE) is not None
    return _LOGGING.fullmatch(f"logger.{call.func.attr}" if known else source.full_name(call.func)) is not None


def _stream_of_logging(sources: Sequence[Source]) -> ReportChannel | None:
    """Return the stream of the program's log: standard output in Hydra apps, else standard error if logging is set up."""
    marks = (s.full_name(mark) for s in sources for f in s.functions.values() for mark in f.decorator_list)
    calls = [" ".join(ast.unparse(call).split()) for source in sources for call in source.calls]
    if any(mark.startswith("hydra.main") for mark in marks) or any(map(_TO_STDOUT.search, calls)):
        return ReportChannel.stdout
    configured = any(_TO_STDERR.search(call) and "filename=" not in call for call in calls)
    known = any(source.imports(package) for source in sources for package in _LOGS_BY_ITSELF)
    return ReportChannel.stderr if configured or known else None
