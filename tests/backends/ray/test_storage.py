"""Where checkpoints are kept: a folder, and S3 as moto has it."""

import pytest

from hpo.backends.ray.storage import CheckpointStorage, check_storage
from hpo.errors import ConfigError

pytest.importorskip("obstore", reason="obstore is not installed here; it comes with the extra `dev`")


def in_folder(folder, monkeypatch):
    return CheckpointStorage(f"file://{folder}/a%20folder")


def on_s3(folder, monkeypatch):
    moto = pytest.importorskip("moto.server")
    import boto3

    server = moto.ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="bucket")
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


@pytest.mark.parametrize("url", ["s3:bucket", "ftp://host/folder", "/mnt/folder", "s3://", "file://folder", "file://"])
def test_what_is_no_address_of_a_storage_is_one_sentence(url):
    with pytest.raises(
        ConfigError, match=f"backend.storage={url}: it is no address of a storage; give one such as s3://"
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
    monkeypatch.setattr("hpo.backends.ray.storage.find_spec", lambda _: None)
    with pytest.raises(
        ConfigError, match=r"backend.storage=s3://bucket/folder: the package obstore is not installed here;"
    ):
        check_storage("s3://bucket/folder")
