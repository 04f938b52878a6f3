"""The code that a remote job needs, as one archive whose bytes depend only on its content.

hpo/                  this package, with conf/ and training_scripts/ inside, as in a wheel
<script's folder>     at its relative path; `program/` for an absolute path
<a function's folder> the folder that Python imports it from; of installed packages only that package
<dependency>          each of source_dependencies, importable by its name
.requirements.txt     requirements of hpo and the script's requirements.txt, without torch and torchvision
"""

import gzip
import hashlib
import io
import os
import re
import stat
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path, PurePosixPath

import hpo
from hpo.backends.executables import NOT_CODE, find_file
from hpo.config.config_folders import CONF_DIR
from hpo.config.schema import BenchmarkConfig
from hpo.errors import DISTRIBUTION, ConfigError
from hpo.functions.finding import find_function

REQUIREMENTS = ".requirements.txt"
LEFT_TO_THE_IMAGE = {"torch", "torchvision"}
_RESERVED = {"hpo", "program"}
_OF_AN_ENVIRONMENT = {"site-packages", "dist-packages"}


@dataclass(frozen=True)
class Bundle:
    """The files of a remote job, by their names in the archive."""

    files: Mapping[str, Path | bytes]
    benchmark: BenchmarkConfig = field(compare=False)
    """Benchmark whose script path is the one in the archive."""

    @cached_property
    def digest(self) -> str:
        """Digest of the files' names, modes and contents."""
        whole = hashlib.blake2b(digest_size=16)
        for name in sorted(self.files):
            data, mode = _content(self.files[name])
            whole.update(f"{name}\0{mode:o}\0{hashlib.blake2b(data).hexdigest()}\n".encode("utf-8", "surrogateescape"))
        return whole.hexdigest()

    def packed(self) -> bytes:
        """Return the archive, the same bytes each time."""
        target = io.BytesIO()
        with (
            gzip.GzipFile(fileobj=target, mode="wb", filename="", mtime=0, compresslevel=6) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for name in sorted(self.files):
                data, mode = _content(self.files[name])
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(data), mode
                archive.addfile(entry, io.BytesIO(data))
        return target.getvalue()


def make_bundle(
    benchmark: BenchmarkConfig,
    dependencies: Sequence[str] = (),
    exclude: Sequence[str] = (),
    most_mb: float = 200.0,
    *,
    group: str = "launcher",
    extras: Sequence[str] = (),
    own: bool = True,
) -> Bundle:
    """Find all files that a benchmark needs on another machine. Reads names and sizes, not contents.

    Args:
        benchmark: Benchmark to run.
        dependencies: Further folders or modules.
        exclude: Patterns of file names that are not code.
        most_mb: Largest size in megabytes.
        group: Group of the configuration that these keys belong to.
        extras: Extras of hpo whose requirements are added.
        own: Whether to add hpo itself and its requirements.

    Raises:
        ConfigError: A file is missing, or the bundle is too large.
    """
    collected = _Collected(most_mb, group)
    package = Path(hpo.__file__).parent
    for place, folder in (
        ("hpo", package),
        ("hpo/conf", CONF_DIR),
        ("hpo/training_scripts", CONF_DIR.parent / "training_scripts"),
    ):
        if not own:
            break
        collected.add(place, folder)
    changed, needed = _add_program(collected, benchmark, exclude)
    for dependency in dependencies:
        path = Path(dependency).expanduser()
        if path.name in _RESERVED or not path.exists():
            why = "that name is taken by hpo itself" if path.name in _RESERVED else f"there is none here ({Path.cwd()})"
            raise ConfigError(f"{group}.source_dependencies={dependency}: {why}; give the path of a folder or module")
        collected.add(path.resolve().name, path, exclude)
    lines = [*(own_requirements(extras) if own else ()), *needed]
    collected.files[REQUIREMENTS] = ("\n".join(dict.fromkeys(lines)) + "\n").encode()
    return Bundle(collected.files, changed)


def _add_program(
    collected: "_Collected", benchmark: BenchmarkConfig, exclude: Sequence[str]
) -> tuple[BenchmarkConfig, list[str]]:
    """Add the program's folder. Returns the benchmark with the program's path in the archive, and its requirements."""
    if benchmark.function is not None:
        return _add_function(collected, benchmark, exclude)
    words = [benchmark.script] if benchmark.script is not None else list(benchmark.command or [])[:2]
    needed: list[str] = []
    for index, word in enumerate(words):
        found = find_file(word)
        if found is None or (benchmark.command is not None and index == 0 and "/" not in word):
            if benchmark.script is not None:
                raise ConfigError(
                    f"benchmark.script={word}: there is no such file here ({Path.cwd()}) nor beside {CONF_DIR}; give an "
                    f"absolute path or one relative to the working directory"
                )
            continue  # a program of the image, or an argument
        place, new = _place_of(word, found)
        needed = [*_requirements_beside(found.parent, place)]
        if not found.is_relative_to(CONF_DIR.parent / "training_scripts") or place == "program":
            collected.add(place, found.parent, exclude)
        if benchmark.script is not None:
            return replace(benchmark, script=new), needed
        command = list(benchmark.command or [])
        command[index] = new
        benchmark = replace(benchmark, command=command)
    return benchmark, needed


def _add_function(
    collected: "_Collected", benchmark: BenchmarkConfig, exclude: Sequence[str]
) -> tuple[BenchmarkConfig, list[str]]:
    """Add the folder or package that a function is imported from; see `_add_program`."""
    target = str(benchmark.function)
    found = find_function(target, Path.cwd())
    if found.module is None:
        word, _, name = target.rpartition(":")
        folder = Path(found.file).parent
        place, new = _place_of(word, Path(found.file))
        collected.add(place, folder, exclude)
        return replace(benchmark, function=f"{new}:{name}"), [*_requirements_beside(folder, place)]
    base, first = Path(found.base), found.module.partition(".")[0]
    if first in _RESERVED:
        raise ConfigError(f"benchmark.function={target}: in the job {first} is something of hpo's; rename it")
    if base.name in _OF_AN_ENVIRONMENT:
        package = base / first if (base / first).is_dir() else base / f"{first}.py"
        collected.add(package.name, package, exclude)
        return benchmark, [*_requirements_of(first)]
    collected.add("", base, exclude)
    return benchmark, [*_requirements_beside(base, "")]


def _place_of(word: str, found: Path) -> tuple[str, str]:
    """Return (folder in the archive, path of the file in the configuration); a relative path stays unchanged."""
    path = PurePosixPath(word)
    if path.is_absolute() or word.startswith("~") or ".." in path.parts:
        return "program", f"program/{found.name}"
    return str(path.parent) if path.parent.parts else "", word


@dataclass
class _Collected:
    """The files found so far, by their names in the archive."""

    most_mb: float
    group: str
    files: dict[str, Path | bytes] = field(default_factory=dict)
    used: int = 0

    def add(self, place: str, source: Path, exclude: Sequence[str] = ()) -> None:
        """Add a file or folder at `place`. Files that are already there stay, so hpo is added first."""
        if source.is_file():
            self._take(place, source, source.parent)
            return
        for path in _walk(source, (*NOT_CODE, *exclude), set()):
            name = str(PurePosixPath(place) / path.relative_to(source).as_posix())
            if name.split("/")[0] != "hpo" or place.split("/")[0] == "hpo":
                self._take(name, path, source)

    def _take(self, name: str, path: Path, root: Path) -> None:
        self.used += path.stat().st_size
        if self.used > self.most_mb * 1e6:
            raise ConfigError(
                f"the code for the job is more than {self.group}.max_bundle_mb={self.most_mb:g} (at {path}); {root} holds "
                f"other things than code: give the script a folder of its own, or list patterns in {self.group}.exclude"
            )
        self.files.setdefault(name, path)


def _walk(folder: Path, exclude: Sequence[str], seen: set[Path]) -> Iterator[Path]:
    """Yield regular files: follows links, visits no folder twice, skips virtual environments."""
    real = folder.resolve()
    if real in seen or (folder / "pyvenv.cfg").exists():
        return
    seen.add(real)
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if any(fnmatch(entry.name, pattern) for pattern in exclude):
            continue
        path = folder / entry.name
        if entry.is_dir():
            yield from _walk(path, exclude, seen)
        elif entry.is_file() and stat.S_ISREG(path.stat().st_mode):
            yield path


def _content(source: Path | bytes) -> tuple[bytes, int]:
    """Return a file's bytes, and its mode for the archive: executable or not."""
    if isinstance(source, bytes):
        return source, 0o644
    try:
        return source.read_bytes(), 0o755 if os.access(source, os.X_OK) else 0o644
    except OSError as error:
        raise ConfigError(
            f"{source}: cannot be read for the job's code ({error}); list it in the key exclude"
        ) from error


def own_requirements(extras: Sequence[str] = ()) -> list[str]:
    """Return the requirements of hpo and of some extras, from its source tree, the bundle that it came in, or its wheel."""
    source, unpacked = CONF_DIR.parent / "pyproject.toml", CONF_DIR.parents[1] / REQUIREMENTS
    if source.is_file():
        import tomllib

        project = tomllib.loads(source.read_text())["project"]
        further = [line for extra in extras for line in project["optional-dependencies"][extra]]
        needed: Iterable[str] = [*project["dependencies"], *further]
    elif unpacked.is_file():
        needed = unpacked.read_text().splitlines()
    else:
        from importlib import metadata

        wanted = [re.compile(rf"; *extra *== *['\"]{extra}['\"]$") for extra in extras]
        lines = metadata.requires(DISTRIBUTION) or []
        needed = [line for line in lines if "extra ==" not in line]
        needed += [pattern.sub("", line) for pattern in wanted for line in lines if pattern.search(line)]
    return [line for line in needed if _project(line) not in LEFT_TO_THE_IMAGE]


def _requirements_of(package: str) -> Iterator[str]:
    """Yield the requirements of an installed package, except hpo itself and packages that the image has."""
    from importlib import metadata

    for distribution in metadata.packages_distributions().get(package, ()):
        for line in metadata.requires(distribution) or ():
            if "extra ==" not in line and _project(line) not in LEFT_TO_THE_IMAGE | {DISTRIBUTION}:
                yield line


def _requirements_beside(folder: Path, place: str) -> Iterator[str]:
    """Yield the lines of a program's requirements.txt, with the files that it names at their paths in the archive."""
    if not (folder / "requirements.txt").is_file():
        return
    text = (folder / "requirements.txt").read_text().replace("\\\n", " ")
    for line in (" ".join(re.sub(r"(^|\s)#.*", "", line).split()) for line in text.splitlines()):
        if not line or _project(line) in LEFT_TO_THE_IMAGE:
            continue
        other = re.fullmatch(r"(?:-(r|c)|--(r)equirement|--(c)onstraint)[ =]?(.+)", line)
        if other is None:
            yield line
        else:
            yield f"-{other[1] or other[2] or other[3]} {PurePosixPath(place) / other[4].strip()}"


def _project(line: str) -> str:
    """Return the normalised name of the project that a requirement names."""
    found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line.strip())
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""
