"""The code for a remote job: everything it needs, the same bytes each time, nothing that is no code."""

import io
import os
import subprocess
import sys
import tarfile

import pytest

from hpo.backends import bundle
from hpo.backends.bundle import REQUIREMENTS, make_bundle
from hpo.config.reading import load_config
from hpo.errors import ConfigError

SPACE = {"x": {"type": "float", "lower": 0.0, "upper": 1.0}}


def benchmark(**keys):
    content = {"name": "b", "script": "train.py", "metric": "loss", "mode": "min", "config_space": SPACE, **keys}
    return load_config({k: v for k, v in content.items() if v is not ...}, "RS").benchmark


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A user's folder with a script in a folder of its own."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text("print('training')\n")
    (tmp_path / "code" / "model.py").write_text("LAYERS = 3\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def packed(made):
    return made.packed()


def test_the_package_its_configurations_and_the_script_s_folder_are_in_it(project):
    made = make_bundle(benchmark(script="code/train.py"))
    assert {
        "hpo/__init__.py",
        "hpo/remote.py",
        "hpo/conf/config.yaml",
        "hpo/training_scripts/mlp_digits/train.py",
    } <= set(made.files)
    assert {"code/train.py", "code/model.py"} <= set(made.files)
    assert made.benchmark.script == "code/train.py", "a relative path is found from the job's folder too"


@pytest.mark.parametrize("script", ["{}/code/train.py", "../{name}/code/train.py"])
def test_a_script_outside_is_put_into_a_folder_of_its_own(project, script):
    made = make_bundle(benchmark(script=script.format(project, name=project.name)))
    assert made.benchmark.script == "program/train.py"
    assert {"program/train.py", "program/model.py"} <= set(made.files)


@pytest.mark.process
def test_the_archive_works_without_hpo_installed(project, tmp_path):
    place = tmp_path / "unpacked"
    with tarfile.open(fileobj=io.BytesIO(packed(make_bundle(benchmark(script="code/train.py"))))) as archive:
        archive.extractall(place, filter="data")
    code = "import hpo; print(hpo.load_config('mlp_digits', 'ASHA').benchmark.name, hpo.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["mlp_digits", str(place / "hpo" / "__init__.py")]


def test_the_same_content_gives_the_same_bytes_whatever_the_times_and_owners(project):
    first = make_bundle(benchmark(script="code/train.py"))
    before = packed(first), first.digest
    os.utime(project / "code" / "train.py", (1, 1))
    second = make_bundle(benchmark(script="code/train.py"))
    assert (packed(second), second.digest) == before
    (project / "code" / "model.py").write_text("LAYERS = 4\n")
    assert make_bundle(benchmark(script="code/train.py")).digest != before[1]


def test_what_is_no_code_is_left_out(project):
    for name in (
        "code/.env",
        "code/.git/config",
        "code/__pycache__/model.cpython-311.pyc",
        "code/outputs/t/events.db",
        "code/venv/pyvenv.cfg",
        "code/venv/lib/big.py",
        "code/data/huge.bin",
    ):
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    os.mkfifo(project / "code" / "pipe")
    (project / "code" / "loop").symlink_to(project / "code")
    made = make_bundle(benchmark(script="code/train.py"), exclude=["data"])
    assert {name for name in made.files if name.startswith("code/")} == {"code/train.py", "code/model.py"}


def test_too_much_beside_the_script_is_one_sentence_and_not_read(project):
    with (project / "code" / "data.bin").open("wb") as file:
        file.truncate(5_000_000_000)
    with pytest.raises(ConfigError, match=r"max_bundle_mb=200.*launcher\.exclude"):
        make_bundle(benchmark(script="code/train.py"))


def test_dependencies_lie_beside_the_package_and_never_replace_it(project):
    (project / "lib" / "helpers").mkdir(parents=True)
    (project / "lib" / "helpers" / "__init__.py").write_text("")
    (project / "lib" / "one.py").write_text("")
    made = make_bundle(benchmark(script="code/train.py"), ["lib/helpers", "lib/one.py"])
    assert {"helpers/__init__.py", "one.py"} <= set(made.files)
    (project / "hpo").mkdir()
    for wrong in ("lib/nothing", "hpo"):
        with pytest.raises(ConfigError, match="source_dependencies"):
            make_bundle(benchmark(script="code/train.py"), [wrong])


def test_a_folder_called_hpo_beside_the_script_does_not_replace_the_package(project):
    (project / "hpo").mkdir()
    (project / "hpo" / "__init__.py").write_text("raise SystemExit('wrong')")
    (project / "train.py").write_text("")
    made = make_bundle(benchmark(script="train.py"))
    assert "train.py" in made.files
    assert made.files["hpo/__init__.py"] != project / "hpo" / "__init__.py"


def test_a_command_s_script_is_sent_and_programs_of_the_image_are_not(project):
    (project / "code" / "train.sh").write_text("echo")
    made = make_bundle(benchmark(script=..., command=["bash", "code/train.sh", "--fast"]))
    assert made.benchmark.command == ["bash", "code/train.sh", "--fast"]
    assert "code/train.sh" in made.files
    made = make_bundle(benchmark(script=..., command=["julia", str(project / "code" / "train.sh")]))
    assert made.benchmark.command == ["julia", "program/train.sh"]


def test_a_missing_script_is_one_sentence(project):
    with pytest.raises(ConfigError, match=r"benchmark\.script=nothing\.py"):
        make_bundle(benchmark(script="nothing.py"))


def test_requirements_are_the_union_without_what_the_image_brings(project):
    (project / "code" / "requirements.txt").write_text(
        "torch>=2.4  # the image has it\nTorchVision==0.19\nscikit-learn>=1.3\nnumpy>=1.26\n\n# a comment\n"
        "-r more.txt\n--constraint=pins.txt\n--extra-index-url https://example.org/simple\n"
        "torchmetrics>=1\nlong>=1, \\\n  <2\n"
    )
    lines = make_bundle(benchmark(script="code/train.py")).files[REQUIREMENTS].decode().splitlines()
    assert lines[-6:] == [
        "scikit-learn>=1.3",
        "-r code/more.txt",
        "-c code/pins.txt",
        "--extra-index-url https://example.org/simple",
        "torchmetrics>=1",
        "long>=1, <2",
    ]
    assert lines.count("numpy>=1.26") == 1
    assert any(line.startswith("hydra-core") for line in lines)
    assert not any(line.split(">")[0] in ("torch", "torchvision", "pytest") for line in lines)


def test_hpo_s_own_requirements_are_those_of_the_source_tree_or_the_installation(monkeypatch, tmp_path):
    lines = {"hydra-hpo": ["rich>=13", "torch>=2; extra == 'torch'", "torch"]}
    monkeypatch.setattr("importlib.metadata.requires", lines.__getitem__)
    assert any(line.startswith("hydra-core") for line in bundle.own_requirements())
    monkeypatch.setattr(bundle, "CONF_DIR", tmp_path / "conf")
    assert bundle.own_requirements() == ["rich>=13"]


# ---------------------------------------------------------------------- functions


def function(target):
    return benchmark(script=..., function=target)


def test_of_a_function_the_folder_that_python_imports_it_from_is_sent(project, monkeypatch):
    (project / "code" / "lab").mkdir()
    (project / "code" / "lab" / "__init__.py").write_text("")
    (project / "code" / "lab" / "training.py").write_text("def objective(config, report): ...\n")
    (project / "code" / "requirements.txt").write_text("einops\n")
    monkeypatch.syspath_prepend(project / "code")
    made = make_bundle(function("lab.training:objective"))
    assert {"lab/__init__.py", "lab/training.py", "model.py"} <= set(made.files)
    assert made.benchmark.function == "lab.training:objective"
    assert b"einops" in made.files[REQUIREMENTS]


@pytest.mark.parametrize("given", ["code/objective.py", "{}/code/objective.py"])
def test_a_function_of_a_file_is_named_where_the_archive_has_it(project, given):
    (project / "code" / "objective.py").write_text("def f(config, report): ...\n")
    made = make_bundle(function(f"{given.format(project)}:f"))
    place = "code" if given.startswith("code") else "program"
    assert made.benchmark.function == f"{place}/objective.py:f"
    assert {f"{place}/objective.py", f"{place}/model.py"} <= set(made.files)


def test_of_an_installed_package_it_alone_is_sent_with_what_it_requires(project, monkeypatch):
    place = project / "site-packages"
    for name, text in {
        "lab/__init__.py": "def objective(config, report): ...\n",
        "other/__init__.py": "",
        "lab-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: lab\nVersion: 1.0\nRequires-Dist: hydra-hpo\n"
        "Requires-Dist: torch\nRequires-Dist: einops>=0.8\nRequires-Dist: black ; extra == 'dev'\n",
        "lab-1.0.dist-info/top_level.txt": "lab\n",
    }.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    monkeypatch.syspath_prepend(place)
    made = make_bundle(function("lab:objective"))
    assert "lab/__init__.py" in made.files
    assert not [name for name in made.files if name.startswith(("other", "lab-1.0"))]
    lines = made.files[REQUIREMENTS].decode().splitlines()
    assert lines[-1] == "einops>=0.8"
    assert not {"hydra-hpo", "torch"} & set(lines)


@pytest.mark.parametrize(
    ("target", "said"),
    [("nomodule:f", "there is no module nomodule"), ("program:f", "in the job program is something")],
)
def test_a_function_that_a_job_cannot_have_is_one_sentence(project, target, said):
    (project / "program.py").write_text("def f(config, report): ...\n")
    with pytest.raises(ConfigError, match=f"benchmark.function={target}: {said}"):
        make_bundle(function(target))
