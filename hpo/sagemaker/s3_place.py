"""An S3 bucket as the place that tuner and jobs share; see `ObjectPlace`.

It is read and written by boto3, not by obstore as the storage of backend=ray: profiles of ~/.aws, roles and KMS keys then
work as in all other requests to AWS, and the image of a job has boto3.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hpo.backends.jobs.protocols import StoredObject
from hpo.errors import HPOError
from hpo.sagemaker.client import aws_error_as_sentence, code_of

_REFUSED = ("AccessDenied", "NoSuchBucket", "403", "404")
_MOST_REMOVED = 1000


class S3Place:
    """Objects in a bucket.

    Args:
        s3: A client of boto3.
        bucket: Name of the bucket.
        encryption: Arguments of each request that writes.
    """

    def __init__(self, s3: Any, bucket: str, encryption: Mapping[str, str]) -> None:
        self._s3, self._bucket, self._encryption = s3, bucket, encryption

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """See `ObjectPlace.list`."""
        with self._errors(prefix):
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                for item in page.get("Contents", ()):
                    yield StoredObject(item["Key"], item["Size"], item["LastModified"].timestamp())

    def read(self, key: str) -> bytes:
        """See `ObjectPlace.read`."""
        with self._errors(key):
            return bytes(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())

    def download(self, key: str, target: Path) -> None:
        """See `ObjectPlace.download`."""
        with self._errors(key):
            self._s3.download_file(self._bucket, key, str(target))

    def write(self, key: str, content: bytes | Path) -> None:
        """See `ObjectPlace.write`."""
        with self._errors(key):
            if isinstance(content, Path):
                self._s3.upload_file(str(content), self._bucket, key, ExtraArgs=dict(self._encryption))
            else:
                self._s3.put_object(Bucket=self._bucket, Key=key, Body=content, **self._encryption)

    def remove(self, keys: Sequence[str]) -> None:
        """See `ObjectPlace.remove`."""
        for start in range(0, len(keys), _MOST_REMOVED):
            objects = [{"Key": key} for key in keys[start : start + _MOST_REMOVED]]
            with self._errors(keys[start]):
                self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})

    @contextlib.contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        """Turn what boto3 raises into one sentence.

        Raises:
            HPOError: The bucket may not be used.
            OSError: It does not answer now.
        """
        try:
            yield
        except Exception as error:
            if not type(error).__module__.startswith(("botocore", "boto3", "s3transfer")):
                raise
            sentence = f"s3://{self._bucket}/{key}: {aws_error_as_sentence(error, 'backend')}"
            if code_of(error) in _REFUSED or code_of(error.__context__ or error) in _REFUSED:
                raise HPOError(sentence) from error
            raise OSError(sentence) from error
