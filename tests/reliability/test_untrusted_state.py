"""T15: an experiment directory or an exported file from somebody else runs nothing and writes nothing outside.

Each attack is first shown to work on a reader that trusts what it reads, so that a canary that stays away means something.
"""

import ast
import contextlib
import io
import itertools
import json
import zipfile
from pathlib import Path

import pytest

import hpo
from hpo.cli.commands import main as verbs
from hpo.errors import HPOError
from hpo.exporting.portable import MANIFEST
from hpo.serve.answers import GROUPS, Figures, configuration_text_of, trial_body, trials_body
from hpo.serve.feed import Feed
from hpo.serve.logs import NAMES, read_log
from tests.reliability.attacks import ATTACKS, SECRET, Place, links_to_files
from tests.reliability.harness import RUNS


@pytest.fixture
def place(complete):
    made = Place(complete)
    made.outside.mkdir()
    (made.outside / "victim").write_bytes(SECRET)
    (made.outside / "folder").mkdir()
    return made


ABOUT_NAMES = [ATTACKS[name] for name in ("benchmark's name", "benchmark's absolute name", "links to folders")]


# ---------------------------------------------------------------------- verbs


def bundle(place):
    """A file as `hpo export` writes it, of the attacked experiment."""
    file = place.work.path / "sent.hpo.zip"
    where = "l/longer/ASHA/seed_0"
    with zipfile.ZipFile(file, "w") as archive:
        manifest = {"format": 1, "hpo": "0", "experiments": [where], "tags": {"l": {"random_seed": 1}}}
        archive.writestr(MANIFEST, json.dumps(manifest))
        for path in sorted(place.directory.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.write(path, f"{where}/{path.relative_to(place.directory)}")
    return file


def calls(place, about_names=False):
    """Each verb that reads an experiment, on the attacked one; those that take long are left to the full number of runs."""
    directory, work = str(place.directory), place.work.path
    method, tag = str(place.directory.parent), str(place.directory.parents[1])
    yield from ([verb, directory] for verb in ("status", "report", "replay", "reproduce", "sync", "stop"))
    yield ["watch", "--once", directory]
    yield ["steer", directory, "hold"]
    yield ["export", directory, "--to", "zip", "--output", str(work / "x.zip")]
    yield ["export", directory, "--to", "jsonl", "--output", str(work / "x.jsonl")]
    yield ["compare", method, "--include-incomplete", "--unpaired"]
    yield ["import", str(bundle(place)), "--outputs", str(work / "imported")]
    imported = str(work / "imported" / "l" / "longer" / "ASHA" / "seed_0")
    yield from ([verb, imported] for verb in ("status", "replay", "sync"))
    if about_names or RUNS:
        yield ["export", tag, "--to", "hparams", "--output", str(work / "x-tensorboard")]
        yield ["plot", directory]
    if RUNS:
        yield ["export", directory, "--to", "csv", "--output", str(work / "x.csv")]
        yield ["export", directory, "--to", "optuna", "--output", str(work / "x.db")]
        yield from ([verb, imported] for verb in ("report", "reproduce"))
        yield from (["compare", tag, "--include-incomplete"], ["report", tag], ["plot", tag])


def run_verb(arguments):
    """What it says; anything but success or a sentence is an error."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        try:
            verbs.main(arguments)
        except HPOError as error:
            return f"{said.getvalue()}{error}"
    return said.getvalue()


def show(place):
    """What the pages of `hpo serve` read and say of it; it goes on until it is ended, and so it is no call like others."""
    feed = Feed(place.directory)
    while feed.look():
        pass
    said = [feed.shown.board, feed.shown.row, feed.shown.trouble.encode()]
    said += [Figures(feed).body(group) for group in GROUPS]
    said.append(trials_body(feed, sort="x.x", down=True, words="", page=0))
    for trial in range(4):
        said.append(trial_body(feed, trial) or b"")
        for attempt, name in itertools.product(range(2), NAMES):
            with contextlib.suppress(OSError):
                said.append(read_log(place.directory, trial, attempt, name)[0])
    with contextlib.suppress(HPOError):
        said.append(configuration_text_of(feed).encode())
    return b"".join(said)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_no_verb_runs_or_writes_what_an_experiment_directory_asks_for(place, monkeypatch, attack):
    monkeypatch.chdir(place.work.path)
    attack(place)
    assert place.sprung(), "the attack must work on a reader that trusts"
    before = place.around()
    found = []
    for arguments in calls(place, attack in ABOUT_NAMES):
        run_verb(arguments)
        if place.sprung() or place.around() != before:
            found.append(" ".join(arguments[:1]))
            before = place.around()
    assert found == []
    assert SECRET not in show(place)
    assert not place.sprung()
    assert place.around() == before


def test_the_pairs_of_verb_and_attack_are_many(place):
    assert len({call[0] for call in calls(place, about_names=True)}) == 12
    assert len(list(calls(place))) * len(ATTACKS) >= 300


RESUMED = [*ATTACKS] if RUNS else ["nested through hpo", "links to files"]


@pytest.mark.parametrize("name", RESUMED)
def test_the_same_command_on_an_attacked_directory_runs_only_what_the_command_asks_for(place, name):
    ATTACKS[name](place)
    assert place.sprung()
    before = place.around()
    result = place.work.hpo("benchmark=longer", "method=ASHA", "experiment_tag=l", "max_num_trials=6")
    assert not place.sprung()
    assert place.around() == before
    assert "Traceback" not in result.stderr


def test_no_file_from_outside_gets_into_what_is_exported(place, monkeypatch):
    monkeypatch.chdir(place.work.path)
    links_to_files(place)
    trials = place.directory / "trials"
    (trials / "1" / "attempt_0").rename(place.outside / "attempt")
    (place.outside / "attempt" / "stdout.log").write_bytes(SECRET)
    (trials / "1" / "attempt_0").symlink_to(place.outside / "attempt")
    assert (trials / "1" / "attempt_0" / "stdout.log").read_bytes() == SECRET
    run_verb(["export", str(place.directory), "--output", "x.zip"])
    with zipfile.ZipFile("x.zip") as archive:
        assert [name for name in archive.namelist() if SECRET in archive.read(name)] == []
        assert f"{Path('l/longer/ASHA/seed_0')}/trials/2/attempt_0/stdout.log" not in archive.namelist()  # it is empty


# ---------------------------------------------------------------------- the source

FORBIDDEN = {
    "pickle",
    "_pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "marshal",
    "shelve",
    "joblib",
    "jsonpickle",
    "runpy",
    "code",
}
RUNNING = {"eval", "exec", "compile", "__import__", "execfile"}
SAFE_LOADERS = {"SafeLoader", "CSafeLoader"}

JUSTIFIED = {
    ("host/child.py", "exec"): "the user's own training script, in its own process",
    ("host/child.py", "compile"): "of that script",
    ("config/hydra_versions.py", "load"): "of YAML, by a loader that derives from SafeLoader",
    ("functions/source.py", "compile"): "to see which names a function of this process uses; it is not run",
    ("__init__.py", "__import__"): "public names are loaded late, from a table in the source",
    ("slurm/job.py", "runpy"): "a job begins as hpo.remote, which is named in the source",
}


def suspicious(source):
    """(what, line) of everything that could run what is read."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from ((name, node.lineno) for name in names if name.partition(".")[0] in FORBIDDEN)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            last = called.rpartition(".")[2]
            loader = given.get("Loader", ast.unparse(node.args[1]) if len(node.args) > 1 else "").rpartition(".")[2]
            words = [word.value for word in node.args if isinstance(word, ast.Constant)]
            if (
                called in RUNNING
                or (called.startswith("builtins.") and last in RUNNING)
                or last
                in (
                    "read_pickle",
                    "unsafe_load",
                    "full_load",
                    "unsafe_load_all",
                    "full_load_all",
                    "enable_load_extension",
                )
                or (called in ("yaml.load", "yaml.load_all") and loader not in SAFE_LOADERS)
                or (called == "torch.load" and given.get("weights_only") != "True")
                or given.get("allow_pickle", "False") != "False"
                or (
                    called.endswith("import_module") and any(str(word).partition(".")[0] in FORBIDDEN for word in words)
                )
                or (last == "extractall" and "tar" in source and "filter" not in given and "ZipFile" not in source)
            ):
                yield last, node.lineno


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from dill import loads", "import a, marshal", "eval('1')", "builtins.exec(x)", "compile(a, b, c)",
        "yaml.load(x)", "yaml.load(x, yaml.Loader)", "yaml.load(x, Loader=yaml.UnsafeLoader)", "torch.load(x)",
        "yaml.full_load(x)",
        "torch.load(x, weights_only=False)", "np.load(x, allow_pickle=True)", "pd.read_pickle(x)", "__import__('a')",
        "importlib.import_module('pickle')", "import tarfile\narchive.extractall(x)",
    ],
)  # fmt: skip
def test_the_search_finds_what_could_run_what_is_read(source):
    assert len(list(suspicious(source))) == 1


def test_nothing_in_the_package_can_run_what_it_reads():
    package = Path(hpo.__file__).parent
    scripts = package.parent / "training_scripts"
    found = {}
    for path in [*package.rglob("*.py"), *scripts.rglob("*.py")]:
        name = str(path.relative_to(package if path.is_relative_to(package) else scripts))
        found |= {(name, what): line for what, line in suspicious(path.read_text())}
    assert {key: line for key, line in found.items() if key not in JUSTIFIED} == {}
    assert set(JUSTIFIED) <= set(found), "what is justified is there"
