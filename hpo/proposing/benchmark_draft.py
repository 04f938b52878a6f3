"""The YAML of a proposed benchmark, with a comment on each line that says where it comes from."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpo.config.choices import ArgumentStyle, ReportChannel
from hpo.config.metric_direction import usual_mode
from hpo.config.yaml_files import flow_text
from hpo.proposing.argument_roles import is_of_the_machine, is_seed, resource_of
from hpo.proposing.arguments import Argument, Interface, Unread
from hpo.proposing.domains import MISSING, Proposal, propose
from hpo.proposing.report_description import Reported
from hpo.proposing.source import ST_CHECKPOINT_DIR
from hpo.space.search_space import parse_space

_TRIALS = 20
_LONGEST = 100
_SHOWN = 6


@dataclass
class Draft:
    """A proposed benchmark, before it is written."""

    name: str
    program: Mapping[str, Any]
    """Key and value that name the program: `script`, `command` or `function`."""
    interface: Interface
    reported: Reported
    gpus: int
    """Number of GPUs per trial."""
    started: str = ""
    """Place in the code or the project from which the command that starts the program was read."""

    def text(self) -> str:
        """Return the text of the whole file."""
        return "\n".join(self._lines()) + "\n"

    @property
    def tuned(self) -> int:
        """Number of hyperparameters in the search space."""
        return sum(proposal.sure for _, proposal in self._proposals)

    @property
    def missing(self) -> list[str]:
        """Keys that the user has to complete."""
        return [line.partition(":")[0].strip() for line in self._lines() if "  # TODO: " in line]

    def _lines(self) -> Iterator[str]:
        yield f"# Proposed by hpo init ({self.interface.parser}). Look through the space before the first run."
        yield from (f"# {note}" for note in self.interface.notes)
        yield f"name: {flow_text(self.name)}"
        behind = ", ".join(self.interface.behind)
        told = f"TODO: {behind}: write what stands behind the options" if behind else self.started
        yield from (_line(key, value, told) for key, value in self.program.items())
        if self.interface.style != ArgumentStyle.flags:
            yield f"argument_style: {self.interface.style.value}"
        if self.interface.config_file is not None:
            yield _line(
                "config_file", self.interface.config_file, f"{self.interface.config_origin}; each trial gets a copy"
            )
        if self.interface.json_option is not None:
            yield f"arguments_as_json: {self.interface.json_option}"
        yield from self._channel()
        if any(argument.name == ST_CHECKPOINT_DIR for argument in self.interface.arguments):
            yield f"checkpoint_argument: {ST_CHECKPOINT_DIR}"
        yield from self._objective()
        yield from self._space()
        yield from self._arguments()
        yield "n_workers: 1  # trainings at a time"
        yield f"max_num_trials: {_TRIALS}  # what ends the experiment"
        yield f"num_gpus_per_trial: {self.gpus}" + ("" if self.gpus else "  # 1 for a training on a GPU of its own")

    def _channel(self) -> Iterator[str]:
        """Yield the lines that say how reports are read."""
        heard = self.reported
        if heard.channel == ReportChannel.file:
            return
        read = "what it prints is searched" if heard.patterns else ""
        yield _line("report_channel", heard.channel.value, read)
        if heard.path is not None:
            yield _line("report_path", heard.path, "")
        if heard.patterns:
            yield "patterns:"
            yield from (f"  {name}: {_quoted(pattern)}  # {where}" for name, (pattern, where) in heard.patterns.items())
        if heard.first != 1:
            yield _line("first_resource", heard.first, f"it counts {heard.resource} from 0")

    def _objective(self) -> Iterator[str]:
        heard, metrics, limit = self.reported, self.reported.metrics, self._limit
        resource, told = heard.resource, "what it reports as spent"
        if metrics and not heard.elsewhere:
            mode, by = heard.mode or usual_mode(metrics[0]), "as it says" if heard.mode else "by its name"
            others = f"; it also reports {', '.join(metrics[1:])}" if metrics[1:] else ""
            where = heard.patterns[metrics[0]][1] if heard.patterns else heard.where
            yield _line("metric", metrics[0], f"{where or 'as its text shows'}{others}")
            yield _line("mode", mode or MISSING, by if mode else "TODO: min or max")
            yield _several(metrics, mode)
            if heard.test_metrics:
                told = "shown beside it, never selected on"
                yield _line(
                    "test_metric", heard.test_metrics if heard.test_metrics[1:] else heard.test_metrics[0], told
                )
        else:
            computed = f"{heard.where}: its names are computed; write that of the metric"
            calling = "no report was found; call hpo.report(epoch=..., NAME=...), and write NAME here"
            if heard.elsewhere:
                calling = calling.replace(
                    "no report was found", f"it reports to {heard.elsewhere}, which hpo does not hear"
                )
            elif heard.unnamed:
                printed = ", ".join(heard.unnamed[:_SHOWN])
                calling = (
                    f"it prints {printed}; write a pattern for the metric (report_channel: stdout), or call hpo.report"
                )
            yield _line("metric", MISSING, f"TODO: {computed if heard.where and not heard.elsewhere else calling}")
            yield _line("mode", MISSING, "TODO: min or max")
            if limit is not None:
                unit = next(iter(re.findall("epoch|step|iter|round|update", limit.name.lower())), "epoch")
                resource, told = resource or unit, "report it, too"
        if resource is not None:
            yield _line("resource_attr", resource, told)
        if limit is not None:
            line = _line("max_resource_attr", limit.key, f"{limit.where}; tells it where to end")
            yield line if resource is not None else f"# {line}, where it reports more than once"

    @property
    def _limit(self) -> Argument | None:
        """The argument that says how long a training is; None if there is none."""
        return resource_of(self.interface.arguments)

    @property
    def _proposals(self) -> list[tuple[Argument, Proposal]]:
        """Arguments that could be tuned, each with its proposal."""
        found = [(argument, propose(argument)) for argument in self.interface.arguments]
        return [(argument, proposal) for argument, proposal in found if proposal is not None]

    def _space(self) -> Iterator[str]:
        sure = [(argument, proposal) for argument, proposal in self._proposals if proposal.sure]
        if not sure:
            yield "config_space: {}  # TODO: nothing in it looks like a hyperparameter; write one, such as those below"
        else:
            yield "config_space:"
            yield "  # Each may have default: VALUE, tried first; confidence: low, medium or high, a prior around it; and"
            yield "  # when: {OTHER: VALUE}, where it is used only then."
        domains: dict[str, Any] = {}
        for argument, proposal in self._proposals:
            spec = dict(proposal.domain)
            if argument.spelling is not None:
                spec["argument"] = int(argument.spelling) if argument.spelling.isdecimal() else argument.spelling
            origin, complete = _origin(argument, proposal.why), MISSING not in spec.values()
            line = _line(argument.name, spec, origin if complete else f"TODO: {origin}", indent=2)
            yield line if proposal.sure else f"  # {line.lstrip()}"
            if proposal.sure and complete:
                domains[argument.name] = spec
        defaults = {
            a.name: a.default for a, proposal in sure if a.default is not None and not isinstance(a.default, Unread)
        }
        parsed = parse_space(domains).domains if domains else {}
        inside = {name: value for name, value in defaults.items() if name in parsed and value in parsed[name]}
        if inside:
            yield "points_to_evaluate:  # tried first: the program's own defaults"
            yield f"  - {flow_text(inside)}"

    def _arguments(self) -> Iterator[str]:
        shown = {argument.name for argument, _ in self._proposals}
        sure = {argument.name for argument, proposal in self._proposals if proposal.sure}
        given, comments, machine = [], [], []
        if self.interface.command is not None:
            given.append(_line("1", self.interface.command, "the command", indent=2))
        for argument in self.interface.arguments:
            if argument.name in (*sure, ST_CHECKPOINT_DIR):
                continue
            value, told = self._constant(argument)
            line = _line(argument.key, value, told, indent=2)
            if value is not None:
                given.append(line)
                machine += [argument.key] if argument.required and is_of_the_machine(argument) else []
            elif argument.name not in shown:
                origin = _origin(argument, "", default=False)
                comments.append(f"  # {_line(argument.key, argument.default, origin)}")
        if given or comments:
            yield "arguments:" if given else "arguments: {}"
            yield from given
            yield from comments
        if machine:
            yield f"arguments_of_the_machine: {flow_text(machine)}  # may change without being another experiment"

    def _constant(self, argument: Argument) -> tuple[Any, str]:
        """Return the constant for an argument that is not tuned, and its comment; None as a value if it can be left out."""
        if is_seed(argument):
            return "{trial_seed}", f"{argument.where}; each configuration has its own"
        if argument == self._limit:
            known = isinstance(argument.default, int | float) and argument.default >= 1
            return (
                (int(argument.default), _origin(argument, ""))
                if known
                else (MISSING, "TODO: of a full-budget evaluation")
            )
        if argument.given is not None:
            return argument.given, argument.where
        if (argument.spelling or "").isdecimal() and type(argument.default) in (str, int, float):
            return argument.default, f"{argument.where}; words behind it need it in its place"
        if argument.required:
            numeric = "; give it a value, or tune it in config_space" if argument.kind in ("int", "float") else ""
            return MISSING, f"TODO: has no default{numeric}; {_origin(argument, '')}"
        return None, ""


def _several(metrics: Sequence[str], mode: str | None) -> str:
    """Return the comment about multi-objective search, with the first two metrics if there are two."""
    first, second = [*metrics, "latency_ms"][:2]
    modes = {first: mode or MISSING, second: usual_mode(second) or "min"}
    return f"# Several at once, in place of these two: objectives: {flow_text(modes)}"


def _quoted(pattern: str) -> str:
    """Return a regular expression as a YAML scalar in single quotes, in which backslashes stay as they are."""
    return "'" + pattern.replace("'", "''") + "'"


def _line(key: str, value: Any, comment: str, *, indent: int = 0) -> str:
    text = " ".join(value.split()) if value == MISSING or isinstance(value, Unread) else flow_text(value)
    return f"{' ' * indent}{flow_text(key)}: {text}" + (f"  # {comment}" if comment else "")


def _origin(argument: Argument, why: str, *, default: bool = True) -> str:
    """Return a comment with an argument's place, its default, the reason for a proposal, and its help."""
    where = argument.where
    if default and argument.default is not None:
        where = f"default {argument.default} {'in ' if 'line' in where else ''}{where}"
    told = re.sub(r"\s*[(\[]default[^)\]]*[)\]]", "", argument.help, flags=re.IGNORECASE)
    text = "; ".join(part for part in (where, why, told) if part)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
