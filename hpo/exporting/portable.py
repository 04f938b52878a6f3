"""Portable files: experiments without their checkpoints, packed by `hpo export` and unpacked by `hpo import`.

A file is a zip archive with a manifest and, for each experiment under tag/benchmark/method/seed_n, its configuration, a
copy of its event store, the files made from that, and small logs. Nothing in it is executed, and nothing is unpacked
outside its folder.
"""

import contextlib
import json
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import hpo
from hpo.config.reading import read_config
from hpo.errors import ConfigError, HPOError, StoreError
from hpo.events.state import ExperimentState
from hpo.results.experiment import check_experiment
from hpo.results.files import read_metadata, write_best, write_results
from hpo.store.atomic_files import replacing, write_atomically
from hpo.store.directory import ExperimentDirectory, json_object
from hpo.store.disk_space import free_bytes
from hpo.store.event_store import Store
from hpo.store.sqlite_file import copy_store
from hpo.store.tags import read_tag, update_tag
from hpo.store.untrusted import (
    MOST_CONFIG,
    MOST_EARLIER,
    MOST_ENTRIES,
    MOST_JSON,
    MOST_RATIO,
    MOST_UNPACKED,
    SMALL,
    UnsafeFileError,
    read_untrusted,
)
from hpo.store.untrusted_database import BESIDE

FORMAT = 1
MANIFEST = "hpo-export.json"
LARGEST_LOG = 1 << 16
"""Size limit of a packed log in bytes; longer output of a trial is not packed."""
LARGEST_MAIN_LOG = 10 << 20


def pack(directories: Sequence[Path], output: Path) -> Path:
    """Pack experiments into one file, which appears complete or not at all.

    Raises:
        ConfigError: The output exists, or two experiments would have the same path in it.
        StoreError: An experiment cannot be read.
    """
    if output.exists():
        raise ConfigError(f"--output {output}: exists; delete it or name another file")
    places: dict[str, Path] = {}
    for directory in directories:
        place = read_config(ExperimentDirectory(directory).config).place
        if place in places:
            raise ConfigError(f"{directory}: is the same experiment as {places[place]} ({place}); export one of them")
        places[place] = directory
    output.parent.mkdir(parents=True, exist_ok=True)
    with replacing(output) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        manifest = {"format": FORMAT, "hpo": hpo.__version__, "experiments": list(places), "tags": _tags(places)}
        archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
        for place, directory in places.items():
            with _prepared(directory) as files:
                for file, name in files:
                    archive.write(file, f"{place}/{name}")
    return output


def _tags(places: dict[str, Path]) -> dict[str, Any]:
    """Return the master seed of each tag that has one stored."""
    found = {}
    for place, directory in places.items():
        if (seed := read_tag(directory.absolute().parents[2]).get("random_seed")) is not None:
            found[place.partition("/")[0]] = {"random_seed": seed}
    return found


@contextlib.contextmanager
def _prepared(directory: Path) -> Iterator[list[tuple[Path, str]]]:
    """Yield an experiment's files, each with its name in the archive; derived files are made from a copy of the store."""
    files = ExperimentDirectory(directory)
    if not files.events.is_file():
        raise StoreError(f"{directory}: has no events yet; export it when it has begun")
    with tempfile.TemporaryDirectory(prefix="hpo-export-") as folder:
        made = ExperimentDirectory(Path(folder))
        copy_store(files.events, made.events)
        for source, target, most in (
            (files.config, made.config, MOST_CONFIG),
            (files.warm_start, made.warm_start, MOST_EARLIER),
            (files.confirmation, made.confirmation, MOST_JSON),
        ):
            with contextlib.suppress(FileNotFoundError):
                _copy(source, target, most)
        config = read_config(made.config)
        with contextlib.closing(Store(made.events, read_only=True)) as store:
            state = ExperimentState(config.objective).apply_all(store.read())
            write_results(made, config, store.read)
        write_best(made, state)
        if metadata := read_metadata(files):
            metadata["status"] = state.status  # the copy does not run
            write_atomically(made.metadata, json.dumps(metadata, indent=1).encode())
        yield [*((path, path.name) for path in sorted(made.path.iterdir())), *_logs(files)]


def _copy(source: Path, target: Path, most: int) -> None:
    try:
        target.write_bytes(read_untrusted(source, most))
    except UnsafeFileError as error:
        raise StoreError(f"{source}: cannot be exported ({error.strerror})") from error


def _logs(files: ExperimentDirectory) -> Iterator[tuple[Path, str]]:
    """Yield small logs, without links that lead out of the directory: the archive must contain nothing from elsewhere."""
    inside = files.path.resolve()
    logs = [(files.log, LARGEST_MAIN_LOG), (files.host_log, LARGEST_MAIN_LOG)]
    found = sorted(files.trials.glob("*/attempt_*/std*.log"))
    logs += [(path, LARGEST_LOG) for path in found if path.name in ("stdout.log", "stderr.log")]
    for path, largest in logs:
        if path.resolve().is_relative_to(inside) and path.is_file() and 0 < path.stat().st_size <= largest:
            yield path, path.relative_to(files.path).as_posix()


# ---------------------------------------------------------------------- unpacking


def unpack(file: Path, outputs: Path, most: int | None = None) -> list[Path]:
    """Unpack the experiments of a portable file below `outputs` and return their directories.

    Args:
        file: Portable file; it is not trusted.
        outputs: Folder for the experiments.
        most: Limit of the unpacked size in bytes; None is `MOST_UNPACKED`, and proportional to the size of the file.

    Raises:
        ConfigError: The file is not a portable file, is damaged, would write outside its folder, or an experiment
            exists.
    """
    if not file.is_file():
        raise ConfigError(f"{file}: there is no such file; name one that hpo export has written")
    try:
        with zipfile.ZipFile(file) as archive:
            entries = _entries(file, archive)
            manifest = _manifest(file, archive)
            _check_names(file, entries, manifest["experiments"])
            for place in manifest["experiments"]:
                if (outputs / place).exists():
                    raise ConfigError(f"{outputs / place}: exists; move it away, or name another folder with --outputs")
            outputs.mkdir(parents=True, exist_ok=True)
            room = _Room(file, most)
            _check_room(file, entries, outputs, room)
            with tempfile.TemporaryDirectory(prefix=".hpo-import-", dir=outputs) as folder:
                for info in entries:
                    _extract(archive, info, Path(folder) / info.filename, room)
                for place in manifest["experiments"]:
                    _check_experiment(file, Path(folder) / place, place)
                return _put(Path(folder), manifest, outputs)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, zlib.error) as error:
        raise ConfigError(f"{file}: cannot be unpacked ({error}); export it again with hpo export") from error


class _Room:
    """Counter of unpacked bytes that enforces the size limit.

    Args:
        file: Portable file, for messages.
        most: Limit in bytes that the user allows; None is the default.
    """

    def __init__(self, file: Path, most: int | None) -> None:
        self._file = file
        usual = max(SMALL, min(MOST_UNPACKED, MOST_RATIO * file.stat().st_size))
        self.most = usual if most is None else most
        self._taken = 0

    def take(self, size: int) -> None:
        """Count `size` more bytes and raise ConfigError if the limit is exceeded."""
        self._taken += size
        if self._taken > self.most:
            raise ConfigError(
                f"{self._file}: becomes more than {self.most / 1e9:.2g} GB when it is unpacked; if you expect that, allow it "
                "with --largest-gigabytes"
            )


def _entries(file: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the entries of an archive, compressed as `pack` does it: other methods may need gigabytes to unpack."""
    entries = archive.infolist()
    if len(entries) > MOST_ENTRIES:
        raise ConfigError(f"{file}: holds more than {MOST_ENTRIES:,} files, which hpo export does not write")
    for info in entries:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ConfigError(f"{file}: holds {info.filename[:200]!r} packed in a way that hpo export does not use")
    return entries


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, room: _Room) -> None:
    """Unpack one entry, without relying on the size that the archive declares for it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(info) as packed, target.open("xb") as unpacked:
        while chunk := packed.read(1 << 20):
            room.take(len(chunk))
            unpacked.write(chunk)


def _put(folder: Path, manifest: dict[str, Any], outputs: Path) -> list[Path]:
    for place in manifest["experiments"]:
        target = outputs / place
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / place).rename(target)
    for tag, facts in manifest["tags"].items():
        if "random_seed" not in read_tag(outputs / tag):
            update_tag(outputs / tag, random_seed=int(facts["random_seed"]))
    return [outputs / place for place in manifest["experiments"]]


def _manifest(file: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    try:
        with archive.open(MANIFEST) as packed:
            data = packed.read(MOST_JSON + 1)
        if len(data) > MOST_JSON:
            raise ValueError(f"it has more than {MOST_JSON:,} bytes")
        content = json_object(data)
        places, tags = list(content["experiments"]), dict(content["tags"])
        if not all(isinstance(place, str) and _is_plain(place) for place in places):
            raise ValueError("experiments")
        known = {place.partition("/")[0] for place in places}
        if not all(tag in known and isinstance(facts["random_seed"], int) for tag, facts in tags.items()):
            raise ValueError("tags")
        version = int(content["format"])
    except (KeyError, ValueError, TypeError) as error:
        raise ConfigError(f"{file}: was not made by hpo export (no sound {MANIFEST} in it: {error})") from error
    if version > FORMAT:
        raise ConfigError(f"{file}: was made by a later version of hpo ({content.get('hpo')}); update hpo to read it")
    return {"experiments": places, "tags": tags}


def _is_plain(place: str) -> bool:
    """Whether a path consists of four names, none of which leads elsewhere."""
    parts = place.split("/")
    return len(parts) == 4 and not any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts)


def _check_names(file: Path, entries: Sequence[zipfile.ZipInfo], places: Sequence[str]) -> None:
    """Raise ConfigError unless every entry is a plain file inside one of the experiments and occurs once."""
    seen, known = set(), set(places)
    for info in entries:
        name = info.filename
        path = PurePosixPath(name)
        plain = stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG) and not info.is_dir()
        inside = name == MANIFEST or ("/".join(path.parts[:4]) in known and len(path.parts) > 4)
        inside = inside and not name.endswith(BESIDE)  # journal files of a database that was not closed
        odd = path.is_absolute() or "\\" in name or "\0" in name or str(path) != name
        if not plain or not inside or odd or any(part in ("..", ".") for part in path.parts) or name in seen:
            raise ConfigError(f"{file}: holds {name!r}, which hpo export does not write; nothing was unpacked")
        seen.add(name)


def _check_room(file: Path, entries: Sequence[zipfile.ZipInfo], outputs: Path, room: _Room) -> None:
    needed, free = sum(info.file_size for info in entries), free_bytes(outputs)
    _Room(file, room.most).take(needed)
    if needed > free:
        raise ConfigError(f"{file}: needs {needed >> 20} MB under {outputs}, where {free >> 20} MB are free")


def _check_experiment(file: Path, directory: Path, place: str) -> None:
    try:
        config = check_experiment(directory)
    except HPOError as error:
        raise ConfigError(f"{file}: the experiment {place} in it is damaged ({error}); nothing was unpacked") from error
    if config.place != place:
        raise ConfigError(f"{file}: says {place} and holds {config.place}; nothing was unpacked")
