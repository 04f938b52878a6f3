"""The keys of conf/launcher/sagemaker.yaml and conf/backend/sagemaker.yaml, checked."""

import configparser
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hpo.config.environment_references import REFERENCE
from hpo.errors import ConfigError

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@/-]+")
_PREFIX = re.compile(r"(?!.{301})[a-zA-Z0-9!_.*'()-]+(/[a-zA-Z0-9!_.*'()-]+)*")
_REMEDY = {
    "bucket": "name a bucket that you may write to, such as {group}.bucket=my-bucket",
    "role": "give the role the job runs as, such as {group}.role=arn:aws:iam::123456789012:role/MyRole",
    "region": "give one, such as {group}.region=us-west-2, or set AWS_REGION",
}
_PLACEHOLDER = {"bucket": "bucket", "role": "arn:aws:iam::000000000000:role/role", "region": "us-east-1"}
SECRET_NAME = re.compile(
    r"(^|[_.-])(password|passwd|secrets?|credentials?|(api|access|private|secret)[_-]?key|"
    r"(auth|access|session|bearer)[_-]?token)($|[_.-])",
    re.IGNORECASE,
)
SECRET_VALUE = re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----")


@dataclass(frozen=True)
class SageMakerSettings:
    """The settings with which jobs are made and found; the comments in the YAML document each of them."""

    group: str = field(default="launcher", kw_only=True)
    """Group of the configuration that has the keys: `launcher` or `backend`."""
    bucket: str | None = None
    prefix: str = "hpo"
    role: str | None = None
    region: str | None = None
    profile: str | None = None
    instance_type: str | None = None
    instance_count: int | None = None
    image_uri: str | None = None
    framework_version: str = "2.10"
    volume_gb: int = 100
    max_runtime: int | None = None
    spot: bool = False
    max_wait: int | None = None
    keep_alive: int = 0
    retries: int = 2
    subnets: Sequence[str] = ()
    security_groups: Sequence[str] = ()
    kms_key: str | None = None
    volume_kms_key: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    source_dependencies: Sequence[str] = ()
    exclude: Sequence[str] = ()
    max_bundle_mb: float = 200.0
    sync_seconds: float = 30.0
    sync_checkpoints: bool = False
    poll_seconds: float = 30.0
    quota_wait: float = 60.0
    probe_seconds: float = 4.0

    @classmethod
    def checked(cls, keys: Mapping[str, Any], *, placeholders: bool, group: str = "launcher") -> "SageMakerSettings":
        """Return checked settings from the keys of a `group`. With `placeholders`, values that a dry run lacks are invented.

        Raises:
            ConfigError: A key is missing or wrong; the sentence names key, value and remedy.
        """
        known = {item.name for item in fields(cls)} - {"group"}
        if unknown := sorted(set(keys) - known):
            raise ConfigError(f"{group}.{unknown[0]}: there is no such key; there are {', '.join(sorted(known))}")
        values = {name: _plain(value) for name, value in keys.items()}
        values["region"] = values.get("region") or region_of_environment(values.get("profile"))
        for name, remedy in _REMEDY.items():
            if values.get(name) is None:
                if not placeholders:
                    raise ConfigError(f"{group}.{name}: it is missing; {remedy.format(group=group)}")
                values[name] = _PLACEHOLDER[name]
        settings = cls(**values, group=group)
        settings._check()
        return settings

    def _check(self) -> None:
        group = self.group
        for name, pattern, wanted in (
            ("bucket", _BUCKET, f"that is not the name of a bucket; {_REMEDY['bucket'].format(group=group)}"),
            ("role", _ROLE, f"that is not the ARN of a role; {_REMEDY['role'].format(group=group)}"),
            ("prefix", _PREFIX, "use letters, digits and - _ . / without blanks"),
        ):
            if not pattern.fullmatch(str(getattr(self, name))):
                raise ConfigError(f"{group}.{name}={getattr(self, name)!r}: {wanted}")
        if bool(self.subnets) != bool(self.security_groups):
            raise ConfigError(f"{group}.subnets and {group}.security_groups: give both, or neither")
        if self.spot and self.keep_alive:
            raise ConfigError(f"{group}.keep_alive: a warm pool cannot be had with {group}.spot=true; drop one of them")
        for name, least, most in (
            ("instance_count", 1, 1000),
            ("volume_gb", 1, 16384),
            ("keep_alive", 0, 21600),
            ("retries", 0, 30),
            ("max_runtime", 60, 2419200),
            ("max_wait", 60, 2419200),
            ("sync_seconds", 0.1, 3600),
            ("poll_seconds", 0.1, 3600),
            ("quota_wait", 0.1, 86400),
            ("probe_seconds", 0.1, 600),
            ("max_bundle_mb", 1, 5000),
        ):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ConfigError(f"{group}.{name}={value}: use a number from {least} to {most}")
        refuse_secrets(f"{group}.environment", self.environment)
        refuse_secrets(f"{group}.tags", self.tags)


def refuse_secrets(key: str, values: Mapping[str, Any]) -> None:
    """Raise ConfigError for a value that looks like a secret: it would be readable on S3 and in the job's description."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            refuse_secrets(f"{key}.{name}", value)
        elif REFERENCE.search(str(value)):
            raise ConfigError(
                f"{key}.{name}={value}: a job has nothing of your environment; have the script read it from AWS Secrets "
                f"Manager with the job's role, or give the value in clear if it is not a secret"
            )
        elif SECRET_NAME.search(str(name)) or SECRET_VALUE.search(str(value)):
            raise ConfigError(
                f"{key}.{name}: it looks like a secret, and would be stored on S3 and shown by the service; have the "
                f"script read it from AWS Secrets Manager with the job's role, or rename the key if it is none"
            )


def _plain(value: Any) -> Any:
    """Return Hydra's containers as Python's; elsewhere a null list or dictionary is treated as empty."""
    if isinstance(value, Mapping):
        return {str(key): str(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(str(item) for item in value)
    return value


def region_of_environment(profile: str | None) -> str | None:
    """Return the region as boto3 would find it, without boto3, which a dry run must not need."""
    if named := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        return named
    parser = configparser.ConfigParser()
    try:
        parser.read(Path(os.environ.get("AWS_CONFIG_FILE", "~/.aws/config")).expanduser())
    except configparser.Error:
        return None
    profile = profile or os.environ.get("AWS_PROFILE") or "default"
    section = "default" if profile == "default" else f"profile {profile}"
    return parser.get(section, "region", fallback=None, raw=True)
