"""`hpo init`: the YAML file of a benchmark for an existing program. An existing file is never overwritten."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from hpo.config.choices import ARGUMENTS
from hpo.config.config_folders import CONF_DIR
from hpo.config.yaml_files import flow_text
from hpo.errors import ConfigError
from hpo.proposing.argument_roles import resource_of
from hpo.proposing.benchmark_draft import Draft
from hpo.proposing.compiled_programs import is_compiled
from hpo.proposing.config_files import with_config_file
from hpo.proposing.launch_lines import read_launch_lines, with_shown_values
from hpo.proposing.program_interface import command_of, read_interface
from hpo.proposing.report_reader import read_reports
from hpo.proposing.returned_values import with_callback
from hpo.proposing.source import read_sources


@dataclass(frozen=True)
class WrittenBenchmark:
    """The benchmark file that was written, and what remains to be completed in it."""

    path: Path
    parser: str
    tuned: int
    """Number of hyperparameters in the search space."""
    missing: list[str]
    """Keys that the user has to complete."""


def write_benchmark(
    *, script: Path, name: str | None, folder: Path, gpus: bool, config: Path | None = None
) -> WrittenBenchmark:
    """Write `folder`/benchmark/NAME.yaml for a program.

    Args:
        script: The program.
        name: Name of the benchmark; by default that of the script.
        folder: The user's folder of configuration groups.
        gpus: Whether this machine has GPUs.
        config: The configuration file that the program reads, if the user names it.

    Raises:
        ConfigError: The program's arguments cannot be read, a benchmark of that name exists, or the file cannot be written.
    """
    if not script.is_file():
        raise ConfigError(f"{script}: there is no such file; name the program that is to be tuned, such as train.py")
    name = name if name is not None else re.sub(r"[^A-Za-z0-9_-]+", "_", script.stem)
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise ConfigError(f"--name {name}: use letters, digits, '_', '-' and '.'")
    path = folder / "benchmark" / f"{name}.yaml"
    own = "benchmark of hpo" if (CONF_DIR / "benchmark" / path.name).is_file() else "file" if path.exists() else None
    if own is not None:
        raise ConfigError(
            f"{path if own == 'file' else name}: there is a {own} of that name already; give another with --name"
        )
    interface = read_interface(script)
    program: dict[str, str | list[str]] = {"script": str(script)}
    by_interpreter = command_of(script)
    if script.suffix != ".py" and len(by_interpreter) > 1:
        program = {"command": [by_interpreter[0], str(script)]}
    reported = read_reports(script)
    if reported.patterns and is_compiled(script) and shutil.which("stdbuf") is not None:
        program = {"command": ["stdbuf", "-oL", str(script.absolute())]}  # it prints line by line, not at the end
    if interface.behind:
        program = {"command": [*(program.get("command") or [str(script.absolute())]), ARGUMENTS, *interface.behind]}
    if interface.function is not None:
        program = {"function": f"{script}:{interface.function}"}
    if reported.returned:
        reported = with_callback(reported, resource_of(interface.arguments))
    known = {argument.name for argument in interface.arguments}
    interface.arguments += [argument for argument in reported.arguments if argument.name not in known]
    lines = read_launch_lines(script) if script.suffix == ".py" and "script" in program else []
    sources = read_sources(script) if script.suffix == ".py" else []
    interface = with_config_file(interface, sources, lines=lines, given=config)
    line = next((line for line in lines if line.launcher), None)
    alone = next((other for other in lines if not other.launcher), None)
    interface.arguments = list(with_shown_values(interface.arguments, lines, line if alone is None else None))
    processes, started = 1, ""
    if line is not None:
        command = [*line.launcher, str(script)]
        if alone is None:
            program, processes, started = {"command": command}, line.processes, f"as in {line.where}"
        else:
            instead = f"command: {flow_text(command)} and num_gpus_per_trial: {line.processes}"
            interface.notes.append(f"In place of script, as in {line.where}: {instead}.")
    draft = Draft(name, program, interface, reported, processes if gpus and _speaks_of_gpus(script) else 0, started)
    text = draft.text()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written ({error.strerror}: {error.filename}); name another folder with --output"
        ) from error
    return WrittenBenchmark(path, interface.parser, draft.tuned, draft.missing)


def _speaks_of_gpus(script: Path) -> bool:
    return re.search(rb"cuda|gpu|accelerator|Trainer\(|device", script.read_bytes(), re.IGNORECASE) is not None
