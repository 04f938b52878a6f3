"""The download of results from S3 to where a local run would have written them. Unchanged files are not fetched again."""

import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from hpo.backends.checkpoint_archive import CHECKPOINT, unpack
from hpo.errors import HPOError
from hpo.sagemaker.client import aws_errors_as_sentence, client, read_object
from hpo.store.atomic_files import replacing
from hpo.store.directory import read_json

THREADS = 8
PROGRESS = "progress.json"


def fetch(record: Mapping[str, Any], output_dir: Path, *, checkpoints: bool) -> int:
    """Fetch new results. Returns the number of files."""
    s3 = client("s3", record["region"], record["profile"])
    bucket = record["bucket"]
    with aws_errors_as_sentence(f"s3://{bucket}/{record['results']}"):
        missing = [
            item
            for item in _listed(s3, bucket, record["results"] + "/")
            if _concerns(item["name"], checkpoints) and not _is_here(output_dir / item["name"], item)
        ]
        # The event store comes last, after the files that it refers to.
        missing.sort(key=lambda item: item["name"] == "events.db")
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda item: _bring(s3, bucket, item, output_dir), missing))
    return len(missing)


def is_whole(output_dir: Path, *, checkpoints: bool) -> bool:
    """Whether all files that the job had when it ended, by its own list, are here."""
    files = read_json(output_dir / PROGRESS).get("files")
    if not isinstance(files, dict):  # an earlier list, or none: later ones could not be uploaded
        return False
    wanted = [(output_dir / name, size) for name, size in files.items() if _concerns(name, checkpoints)]
    return all(path.is_file() and path.stat().st_size == size for path, size in wanted)


def progress(record: Mapping[str, Any]) -> str:
    """Return the experiment's progress as the job last wrote it; empty if it has not yet."""
    s3 = client("s3", record["region"], record["profile"])
    with aws_errors_as_sentence(f"s3://{record['bucket']}/{record['results']}"):
        body = read_object(s3, record["bucket"], f"{record['results']}/{PROGRESS}")
    try:
        content = json.loads(body or "")
        return f"{content['elapsed']}, {content['counts']}, best {content['best']}"
    except (ValueError, KeyError, TypeError):
        return ""


def _listed(s3: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", ()):
            name = item["Key"][len(prefix) :]
            if not name or name.endswith("/"):
                continue
            if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
                raise HPOError(f"s3://{bucket}/{item['Key']}: that name leads out of the results; remove the object")
            yield {"name": name, "key": item["Key"], "size": item["Size"], "time": item["LastModified"].timestamp()}


def _concerns(name: str, checkpoints: bool) -> bool:
    last = PurePosixPath(name).name
    return not last.endswith(".tmp") and (checkpoints or last != CHECKPOINT)


def _is_here(path: Path, item: Mapping[str, Any]) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    return bool(found.st_size == item["size"] and abs(found.st_mtime - item["time"]) < 1e-3)


def _bring(s3: Any, bucket: str, item: Mapping[str, Any], output_dir: Path) -> None:
    path = output_dir / item["name"]
    for folder in [output_dir / parent for parent in PurePosixPath(item["name"]).parents][:-1]:
        if folder.is_symlink():
            raise HPOError(f"{folder}: is a link, and results are written to the directory itself; remove the link")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        with temporary.open("wb") as file:
            # get_object, not a managed transfer: these are small files, and that would start threads for each
            for chunk in s3.get_object(Bucket=bucket, Key=item["key"])["Body"].iter_chunks(1 << 20):
                file.write(chunk)
        os.utime(temporary, (item["time"], item["time"]))
        if path.name == CHECKPOINT:
            unpack(temporary, path.with_name("checkpoint"))
    if path.name == "events.db":
        for suffix in ("-wal", "-shm"):  # leftovers of a store that this one replaces
            path.with_name(path.name + suffix).unlink(missing_ok=True)
