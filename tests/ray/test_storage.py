"""Where checkpoints are kept: a folder, and S3 as moto has it."""

import os
import socket
import threading
import time
from datetime import timedelta

import pytest

from hpo.errors import ConfigError
from hpo.ray.storage import CheckpointStorage, check_storage
from tests.support.forwarding import carry

pytest.importorskip("obstore", reason="obstore is not installed here; it comes with the extra `dev`")


def in_folder(folder, monkeypatch):
    return CheckpointStorage(f"file://{folder}/a%20folder")


def on_s3(folder, monkeypatch, port=None):
    moto = pytest.importorskip("moto.server")
    import boto3

    server = moto.ThreadedMotoServer(port=0)
    server.start()
    host, own_port = server.get_host_and_port()
    port = port or own_port
    boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{own_port}",
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    ).create_bucket(Bucket="bucket")
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    return CheckpointStorage("s3://bucket/folder")


@pytest.mark.process  # a server in a thread
@pytest.mark.parametrize("make", [in_folder, on_s3])
def test_what_is_put_there_is_found_listed_and_removed(tmp_path, monkeypatch, make):
    storage = make(tmp_path, monkeypatch)
    content = bytes(range(256)) * 50_000  # of several pieces
    (tmp_path / "given").write_bytes(content)
    storage.put("trials/1/00000-a.tar", tmp_path / "given")
    storage.put("trials/2/00000-a.tar", b"other")
    storage.get("trials/1/00000-a.tar", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content
    assert storage.sizes("trials/1/") == {"trials/1/00000-a.tar": len(content)}
    assert set(storage.sizes("trials/")) == {"trials/1/00000-a.tar", "trials/2/00000-a.tar"}
    storage.remove(["trials/1/00000-a.tar", "trials/7/never-there.tar"])
    assert set(storage.sizes("trials/")) == {"trials/2/00000-a.tar"}
    with pytest.raises(FileNotFoundError) as raised:
        storage.get("trials/1/00000-a.tar", tmp_path / "back")
    assert "\n" not in str(raised.value)
    with storage.proof() as proof:
        storage.get(proof, tmp_path / "proof")
    assert (tmp_path / "proof").read_text() == proof
    assert storage.sizes("_hpo/") == {}


@pytest.mark.process  # a server in a thread
@pytest.mark.parametrize("seconds", [3.0, pytest.param(12.0, marks=pytest.mark.slow)])
def test_a_service_that_refuses_connections_for_seconds_gets_what_was_to_be_put(tmp_path, monkeypatch, seconds):
    with socket.socket() as reserved:
        reserved.bind(("0.0.0.0", 0))
        port = reserved.getsockname()[1]
    storage = on_s3(tmp_path, monkeypatch, port)
    from moto.server import ThreadedMotoServer

    threading.Timer(seconds, ThreadedMotoServer(port=port).start).start()
    began = time.monotonic()
    storage.put("a", b"content")
    assert time.monotonic() - began >= seconds, "it was there before"
    storage.get("a", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"content"


class FirstUnanswered:
    """A service whose first connection is never answered, as behind a network that drops it; later ones are forwarded."""

    def __init__(self, to):
        self._to, self._held = to, []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        self._held.append(self._listening.accept()[0])
        while True:
            here, there = self._listening.accept()[0], socket.create_connection(("127.0.0.1", self._to))
            for source, target in ((here, there), (there, here)):
                threading.Thread(target=carry, args=(source, target), daemon=True).start()


@pytest.mark.process  # a server in a thread
@pytest.mark.slow
def test_a_request_that_is_never_answered_leaves_time_for_another(tmp_path, monkeypatch):
    on_s3(tmp_path, monkeypatch)
    service = FirstUnanswered(int(os.environ["AWS_ENDPOINT_URL"].rpartition(":")[2]))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{service.port}")
    began = time.monotonic()
    CheckpointStorage("s3://bucket/folder").put("a", b"content")
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("url", ["s3:bucket", "ftp://host/folder", "/mnt/folder", "s3://", "file://folder", "file://"])
def test_what_is_no_address_of_a_storage_is_one_sentence(url):
    with pytest.raises(
        ConfigError, match=f"backend.storage={url}: it is not a storage address; give one such as s3://"
    ):
        check_storage(url)


def test_a_storage_that_cannot_be_written_to_is_one_sentence(tmp_path):
    storage = CheckpointStorage(f"file://{tmp_path}/there")
    (tmp_path / "there" / "_hpo").write_text("a file in its way")
    with pytest.raises(ConfigError) as raised, storage.proof():
        pass
    assert str(raised.value).startswith(f"backend.storage=file://{tmp_path}/there: nothing can be written there (")
    assert "\n" not in str(raised.value)


def test_without_obstore_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr("hpo.ray.storage.find_spec", lambda _: None)
    with pytest.raises(
        ConfigError, match=r"backend.storage=s3://bucket/folder: the package obstore is not installed here;"
    ):
        check_storage("s3://bucket/folder")


@pytest.mark.process  # asks a service in a thread
@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("s3://bucket/folder", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("gs://b", "GOOGLE_APPLICATION_CREDENTIALS"),
    ],
)
def test_missing_credentials_are_named_as_such(monkeypatch, url, named):
    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.setattr("hpo.ray.storage._RETRIES", {"max_retries": 0, "retry_timeout": timedelta(seconds=1)})
    with pytest.raises(ConfigError) as raised, CheckpointStorage(url).proof():
        pass
    assert str(raised.value).startswith(f"backend.storage={url}: there are no credentials for it; set {named}")
    assert "\n" not in str(raised.value)
