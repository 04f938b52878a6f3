"""AWS clients, and AWS's errors as one sentence each. boto3 is imported only here, when a client is needed."""

import contextlib
import functools
import io
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from hpo.errors import ConfigError, HPOError, how_to_install
from hpo.sagemaker.settings import SageMakerSettings

log = logging.getLogger(__name__)

PROBE = ".hpo-probe"


@functools.cache
def client(service: str, region: str | None, profile: str | None, hasty: bool = False, group: str = "launcher") -> Any:
    """Return a client; one per process and arguments, since making one takes longer than most requests.

    Args:
        service: Name of the service, such as s3.
        region: AWS region.
        profile: Profile of ~/.aws/config.
        hasty: Retry less often, for requests before the first job; see `preflight` for their deadline.
        group: Group of the configuration that an error names.

    Raises:
        ConfigError: boto3 is not installed, or the profile does not exist.
    """
    try:
        from botocore.config import Config
        from botocore.exceptions import ProfileNotFound

        session = _session(profile)
    except ImportError as error:
        raise ConfigError(f"{group}=sagemaker: boto3 is not installed; {how_to_install('aws')}") from error
    except ProfileNotFound as error:
        raise ConfigError(f"{group}.profile: {error}; `aws configure list-profiles` shows those there are") from error
    # Adaptive: a client that is told to slow down does, for all its requests.
    retries = {"mode": "standard", "max_attempts": 2} if hasty else {"mode": "adaptive", "max_attempts": 12}
    config = Config(retries=retries, connect_timeout=2 if hasty else 10, read_timeout=60)
    with _making:
        return session.client(service, region_name=region, config=config)


_making = threading.Lock()
"""Lock for the session: several threads may share clients, but not sessions."""


@functools.cache
def _session(profile: str | None) -> Any:
    """Return the session that all clients share; it holds service descriptions that take a tenth of a second to read."""
    import boto3

    return boto3.Session(profile_name=profile)


def code_of(error: BaseException) -> str:
    """Return AWS's name for an error; empty if it has none."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def message_of(error: BaseException) -> str:
    """Return AWS's error message in one line."""
    response = getattr(error, "response", None)
    text = response.get("Error", {}).get("Message", "") if isinstance(response, dict) else ""
    return " ".join(str(text or error).split())


@contextlib.contextmanager
def aws_errors_as_sentence(
    doing: str, instead: Mapping[str, str] = MappingProxyType({}), group: str = "launcher"
) -> Iterator[None]:
    """Turn the errors of boto3 within the context into one sentence.

    Args:
        doing: Beginning of the sentence.
        instead: Continuations by error code, instead of that of `aws_error_as_sentence`.
        group: Group of the configuration that the sentence names.
    """
    try:
        yield
    except HPOError:
        raise
    except Exception as error:
        if not type(error).__module__.startswith(("botocore", "boto3", "s3transfer")):
            raise
        raise HPOError(f"{doing}: {instead.get(code_of(error)) or aws_error_as_sentence(error, group)}") from error


_REMEDIES = {
    "NoCredentialsError": "there are no AWS credentials; run `aws configure`, or set AWS_PROFILE",
    "PartialCredentialsError": "the AWS credentials are incomplete; run `aws configure`, or set AWS_PROFILE",
    "EndpointConnectionError": "no AWS service answers there; check {group}.region and the network",
    "ConnectTimeoutError": "no AWS service answers there; check {group}.region and the network",
    "ReadTimeoutError": "AWS did not answer in time; check the network, then run the command again",
    "InvalidClientTokenId": "AWS does not know these credentials; run `aws configure`, or set AWS_PROFILE",
    "UnrecognizedClientException": "AWS does not know these credentials; run `aws configure`, or set AWS_PROFILE",
    "InvalidAccessKeyId": "AWS does not know these credentials; run `aws configure`, or set AWS_PROFILE",
    "SignatureDoesNotMatch": "AWS rejects these credentials; run `aws configure`, or set AWS_PROFILE",
    "ExpiredToken": "the AWS credentials have expired; log in again",
    "ExpiredTokenException": "the AWS credentials have expired; log in again",
}


def aws_error_as_sentence(error: BaseException, group: str = "launcher") -> str:
    """Return a description of an error of boto3, with its remedy."""
    code = code_of(error) or type(error).__name__
    if type(error).__name__ == "S3UploadFailedError" and error.__context__ is not None:
        return aws_error_as_sentence(error.__context__, group)
    if code in _REMEDIES:
        return _REMEDIES[code].format(group=group)
    if code in ("AccessDenied", "AccessDeniedException", "403"):
        return f"access denied ({message_of(error)}); ask for that permission, or use another AWS_PROFILE"
    if code == "ValidationException" and "nstance" in message_of(error) and "enum value" in message_of(error):
        return f"the service does not know this {group}.instance_type ({message_of(error)[:200]})"
    return f"AWS rejected it, {code}: {message_of(error)}"


_NO_BUCKET = ("NoSuchBucket", "404")
_OTHER_REGION = ("PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException")
_checked: set[tuple[str | None, ...]] = set()


def preflight(settings: SageMakerSettings) -> None:
    """Check before the first job that the bucket exists and is writable, and that the role exists.

    Raises:
        HPOError: One sentence that says what is missing.
    """
    group = settings.group
    bucket, role, region = settings.bucket, str(settings.role), settings.region
    key = (bucket, settings.prefix, role, region, settings.profile, settings.kms_key)
    if key in _checked:
        return
    deadline = time.monotonic() + settings.probe_seconds
    s3 = client("s3", region, settings.profile, hasty=True, group=group)
    probe = {"Bucket": bucket, "Key": f"{settings.prefix}/{PROBE}", "Body": b"", **encryption(settings)}
    missing = f"there is no such bucket; create it (`aws s3 mb s3://{bucket}`), or name another"
    elsewhere = f"it is in another region than {group}.region={region}; jobs need one in their own"
    with aws_errors_as_sentence(
        f"{group}.bucket={bucket}",
        {**dict.fromkeys(_NO_BUCKET, missing), **dict.fromkeys(_OTHER_REGION, elsewhere)},
        group,
    ):
        try:
            _ask(lambda: s3.put_object(**probe), deadline)
        except TimeoutError as error:
            raise HPOError(
                f"{group}.bucket={bucket}: S3 did not answer within {group}.probe_seconds={settings.probe_seconds:g}; "
                f"check the network, or give it longer"
            ) from error
    name = role.rpartition("/")[2]
    iam = client("iam", region, settings.profile, hasty=True, group=group)
    try:
        _ask(lambda: iam.get_role(RoleName=name), deadline)
    except Exception as error:
        if code_of(error) == "NoSuchEntity":
            raise HPOError(
                f"{group}.role={role}: there is no such role; see IAM > Roles for one that SageMaker may assume"
            ) from error
        # Many users may pass a role to SageMaker without the right to read it.
        log.info("%s.role: could not be looked at (%s)", group, message_of(error))
    _checked.add(key)


def _ask(question: Callable[[], object], deadline: float) -> None:
    """Ask in a thread that is abandoned after the deadline, since boto3 has its own timeout for each address and retry.

    Raises:
        TimeoutError: There was no answer in time.
    """
    errors: list[Exception] = []

    def ask() -> None:
        try:
            question()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(max(deadline - time.monotonic(), 0.0))
    if thread.is_alive():
        raise TimeoutError("no answer in time")
    if errors:
        raise errors[0]


def read_object(s3: Any, bucket: str | None, key: str) -> bytes | None:
    """Return an object's content; None if it does not exist or may not be read."""
    try:
        return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except Exception as error:
        if code_of(error) in ("NoSuchKey", "404", "AccessDenied", "403"):
            return None
        raise


def encryption(settings: SageMakerSettings) -> dict[str, str]:
    """Return the encryption arguments for each S3 object that is written."""
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": settings.kms_key} if settings.kms_key else {}


def upload(settings: SageMakerSettings, key: str, body: bytes) -> bool:
    """Write an object whose key is made from its content, unless it exists. Returns whether it was written."""
    s3 = client("s3", settings.region, settings.profile, group=settings.group)
    with aws_errors_as_sentence(f"s3://{settings.bucket}/{key}", group=settings.group):
        try:
            if s3.head_object(Bucket=settings.bucket, Key=key)["ContentLength"] == len(body):
                return False
        except Exception as error:
            if code_of(error) not in ("404", "NoSuchKey", "NotFound", "403"):
                raise
        s3.upload_fileobj(io.BytesIO(body), settings.bucket, key, ExtraArgs=encryption(settings))
    return True
