"""T16: what a user's strings hold, as values and as paths, reaches a trial byte for byte; no shell ever sees it.

`test_cli.py` sends 500 awkward values. Here they are long, and they are the names of folders and files.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hpo.config.reading import load_config, resolve
from hpo.config.validation import TAG
from hpo.errors import ConfigError
from hpo.results.experiment import load_experiment
from tests.conftest import Workplace
from tests.reliability.harness import RUNS

SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "fish", "csh", "tcsh", "busybox", "env", "cmd"}

AUDIT = '''
import json, os, sys

def note(event, arguments):
    """One line for all that starts a program."""
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"):
        line = json.dumps([event, [repr(part) for part in arguments[:2]], [os.fsdecode(part) for part in words(arguments)]])
        file = os.open(os.environ["AUDIT_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(file, line.encode() + b"\\n")
        os.close(file)

def words(arguments):
    """The executable and the first word of a command."""
    for part in arguments[:2]:
        if isinstance(part, (str, bytes)):
            yield part
        elif isinstance(part, (list, tuple)) and part:
            yield part[0]

sys.addaudithook(note)
'''


class Audited:
    """A working directory whose processes note every program they start."""

    def __init__(self, path: Path, log: Path, hook: Path) -> None:
        hook.mkdir(exist_ok=True)
        (hook / "sitecustomize.py").write_text(AUDIT)
        self.log = log
        path.mkdir()
        search = os.pathsep.join([str(hook), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        self.environment = {"AUDIT_LOG": str(log), "PYTHONPATH": search}
        self.work = Workplace(path, self.environment)

    def started(self) -> list[tuple[str, list[str]]]:
        """(event, program) of all that was started."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [(event, programs) for event, _, programs in map(json.loads, lines)]

    def shells(self) -> list:
        """What was started through a shell."""
        return [
            (event, programs)
            for event, programs in self.started()
            if event == "os.system" or any(Path(program).name in SHELLS for program in programs)
        ]


def drawn(strategy, count):
    """So many values of a strategy, the same each time."""
    found = {}

    @settings(derandomize=True, database=None, max_examples=8 * count, phases=[Phase.generate])
    @given(strategy)
    def draw(value):
        found[value] = None

    draw()
    whole = list(found)
    assert len(whole) >= count
    return [whole[(number + 1) * len(whole) // count - 1] for number in range(count)]  # neighbours are much alike


parts = st.sampled_from(
    [
        " ", "  ", "'", '"', ";", "$(touch x)", "`touch x`", "${HOME}", "\n", "\r", "\t", "-", "--help", "\\", "&&", "|", ">",
        "*", "?", "~", "#", "%20", "%s", "{}", "[a,b]", ",", ":", "=", "@", "!", "ü", "漢字", "🙂", "\u202e", "\x01",
        "\x1b[31m",
    ]
)  # fmt: skip
characters = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3)
text = st.lists(parts | characters, min_size=3, max_size=9)
values = text.map(lambda found: "".join(found).replace("${", "$ {"))
long_values = values.filter(bool).map(lambda found: (found * 100_000).encode()[:100_000].decode(errors="ignore"))
names = text.map(lambda found: "".join(found).replace("/", "").encode()[:80].decode(errors="ignore")).filter(
    lambda found: found not in ("", ".", "..")
)
dashed = names.map(lambda found: "-" + found)


def test_the_audit_sees_every_shell(tmp_path):
    audited = Audited(tmp_path / "work", tmp_path / "log", tmp_path / "hook")
    environment = {**os.environ, **audited.environment}
    calls = ("os.system('true')", "subprocess.run('true', shell=True)", "subprocess.run(['sh', '-c', 'true'])")
    execute = "os.execvp('sh', ['sh', '-c', 'true'])"
    for call in (*calls, execute, "subprocess.run(['true'])"):
        subprocess.run([sys.executable, "-c", f"import os, subprocess; {call}"], env=environment, check=True)
    found = audited.shells()
    assert found[:3] == [
        ("os.system", ["true"]),
        ("subprocess.Popen", ["/bin/sh"] * 2),
        ("subprocess.Popen", ["sh"] * 2),
    ]
    assert {event for event, _ in found[3:]} == {"os.exec"}
    assert ("subprocess.Popen", ["true", "true"]) in audited.started()


@pytest.mark.parametrize("how", ["forked", "executed"])
def test_values_of_100_kb_arrive_as_they_are_and_no_shell_is_started(tmp_path, how):
    audited = Audited(tmp_path / "work", tmp_path / "log", tmp_path / "hook")
    strings = drawn(long_values, 100 if RUNS else 8)
    script = Path(__file__).parent.parent / "support" / "scripts" / "show_arguments.py"
    executed = {"script": ..., "command": [sys.executable, str(script)], "preload": None}
    program = {"script": str(script)} if how == "forked" else executed
    audited.work.benchmark(
        **program, arguments={}, resource_attr=None, max_resource_attr=None, max_num_trials=len(strings),
        config_space={"x": {"type": "choice", "values": strings}}, max_wallclock_time=300,
    )  # fmt: skip
    result = audited.work.hpo("benchmark=mine", "method=GRID", "experiment_tag=t")
    assert result.returncode == 0, result.stderr[-2000:]
    directory = audited.work.directory("t", "GRID")
    states = load_experiment(directory).state.trials
    sent = {trial: state.trial.configuration["x"] for trial, state in states.items()}
    assert sorted(sent.values()) == sorted(strings)
    assert all(len(text.encode()) > 99_990 for text in strings)
    for trial, value in sent.items():
        assert json.loads((directory / f"trials/{trial}/checkpoint/argv").read_text()) == [f"--x={value}"]
    assert audited.shells() == []
    events = {event for event, _ in audited.started()}
    assert events == ({"subprocess.Popen"} if how == "forked" else {"subprocess.Popen", "os.exec"})


TELLING = """
import json, os, sys
mine = {name: value for name, value in os.environ.items() if name.startswith("HPO_")}
with open(os.path.join(os.environ["HPO_CHECKPOINT_DIR"], "told"), "w") as file:
    json.dump([sys.argv, __file__, mine, os.getcwd()], file)
with open(os.environ["HPO_REPORT_FILE"], "a") as file:
    file.write('{"loss": 1.0}\\n')
"""


@pytest.mark.parametrize("number", range(RUNS or 3))
def test_folders_and_files_of_any_name_are_used_as_they_are_named(tmp_path, number):
    count = RUNS or 3
    home, folder, data, script = (drawn(strategy, count)[number] for strategy in (names, dashed, dashed, dashed))
    audited = Audited(tmp_path / home, tmp_path / "log", tmp_path / "hook")
    work = audited.work
    scripts = work.path / folder
    scripts.mkdir()
    (scripts / f"{script}.py").write_text(TELLING)
    executed = number % 2 == 1
    relative = f"{folder}/{script}.py"
    program = {"script": ..., "command": [sys.executable, f"./{relative}"]} if executed else {"script": relative}
    work.benchmark(
        **{key: value.replace("${", "\\${") if isinstance(value, str) else value for key, value in program.items()},
        data=f"./{data}".replace("${", "\\${"), arguments={}, resource_attr=None, max_resource_attr=None, max_num_trials=1,
    )  # fmt: skip
    benchmark = yaml.safe_load((work.path / "conf" / "benchmark" / "mine.yaml").read_text())
    if executed:
        benchmark["command"] = [word.replace("${", "\\${") for word in benchmark["command"]]
        work.write("conf/benchmark/mine.yaml", yaml.safe_dump(benchmark))
    result = work.hpo("benchmark=mine", "method=RS", "experiment_tag=t")
    assert result.returncode == 0, result.stderr[-2000:]
    directory = work.directory("t")
    argv, file, environment, here = json.loads((directory / "trials/0/checkpoint/told").read_text())
    assert Path(file) == scripts / f"{script}.py"
    assert argv[-1] == f"--data={work.path / data}"
    assert here == str(work.path)
    assert environment["HPO_EXPERIMENT_DIR"] == str(directory)
    assert environment["HPO_REPORT_FILE"] == str(directory / "trials/0/attempt_0/reports.jsonl")
    for verb in (
        ["status", str(directory)],
        ["export", str(directory), "--output", f"./{data}.zip"],
        ["reproduce", str(directory)],
    ):
        said = work.verb(*verb)
        assert said.returncode == 0, said.stderr
    assert (work.path / f"{data}.zip").is_file()
    assert audited.shells() == []
    assert not list(tmp_path.rglob("x")), "nothing in a name was carried out"
    assert {path.name for path in work.path.iterdir()} == {folder, f"{data}.zip", "conf", "outputs"}


def test_a_tag_is_what_may_be_one_or_refused_in_one_line():
    config = load_config("mlp_digits", "RS", num_gpus_per_trial=0)
    refused = 0
    for tag in drawn(values | st.from_regex(r"[a-z0-9-]{1,9}", fullmatch=True), 500 if RUNS else 100):
        changed = replace(config, experiment_tag=tag)
        if TAG.fullmatch(tag):
            assert resolve(changed).experiment_tag == tag
            continue
        refused += 1
        with pytest.raises(ConfigError) as caught:
            resolve(changed)
        assert "experiment_tag=" in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1
    assert refused > 30
