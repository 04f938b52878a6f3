"""The container image of a job, and the GPUs of its machine. Tables of 2026-11, from SageMaker's own SDK; no network.

If the SDK is installed (the extra `sagemaker`), it is asked for what the tables do not contain.
Both are only defaults: the keys `image_uri` and `instance_type` name anything else.
"""

import logging
import re

from hpo.errors import ConfigError

log = logging.getLogger(__name__)

PYTHON_OF = {
    "2.3.0": "py311",
    "2.4.0": "py311",
    "2.5.1": "py311",
    "2.6.0": "py312",
    "2.7.1": "py312",
    "2.8.0": "py312",
    "2.9.0": "py312",
    "2.10.0": "py313",
}
"""Versions of the PyTorch training images, and the Python in them."""

_ACCOUNTS = {
    **dict.fromkeys(
        [
            "ap-northeast-1",
            "ap-northeast-2",
            "ap-south-1",
            "ap-southeast-1",
            "ap-southeast-2",
            "ca-central-1",
            "eu-central-1",
            "eu-north-1",
            "eu-west-1",
            "eu-west-2",
            "eu-west-3",
            "sa-east-1",
            "us-east-1",
            "us-east-2",
            "us-west-1",
            "us-west-2",
        ],
        "763104351884",
    ),
    "af-south-1": "626614931356",
    "ap-east-1": "871362719292",
    "ap-east-2": "975050140332",
    "ap-northeast-3": "364406365360",
    "ap-south-2": "772153158452",
    "ap-southeast-3": "907027046896",
    "ap-southeast-4": "457447274322",
    "ap-southeast-5": "550225433462",
    "ap-southeast-7": "590183813437",
    "ca-west-1": "204538143572",
    "cn-north-1": "727897471807",
    "cn-northwest-1": "727897471807",
    "eu-central-2": "380420809688",
    "eu-south-1": "692866216735",
    "eu-south-2": "503227376785",
    "il-central-1": "780543022126",
    "me-central-1": "914824155844",
    "me-south-1": "217643126080",
    "mx-central-1": "637423239942",
    "us-gov-east-1": "446045086412",
    "us-gov-west-1": "442386744353",
}

_INSTANCE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+")
_GPUS = {
    "g4dn": {"12xlarge": 4, "16xlarge": 1, "metal": 8},
    "g5": {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8},
    "g6": {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8},
    "g6e": {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8},
    "p3": {"2xlarge": 1, "8xlarge": 4, "16xlarge": 8},
    "p3dn": {"24xlarge": 8},
    "p4d": {"24xlarge": 8},
    "p4de": {"24xlarge": 8},
    "p5": {"4xlarge": 1, "48xlarge": 8},
    "p5e": {"48xlarge": 8},
    "p5en": {"48xlarge": 8},
}


def image_uri(framework: str | None, version: str, region: str, instance_type: str, group: str = "launcher") -> str:
    """Return the URI of AWS's training image.

    Raises:
        ConfigError: The tables contain no such image.
    """
    if framework not in (None, "PyTorch"):
        raise ConfigError(
            f"benchmark.framework={framework}: no image of it is known here; name one with {group}.image_uri"
        )
    known = next((full for full in PYTHON_OF if full == version or full.rpartition(".")[0] == version), None)
    if known is None or region not in _ACCOUNTS:
        if (found := _as_the_sdk_says(version, region, instance_type)) is not None:
            return found
        key, why = (
            (f"{group}.framework_version={version}", f"choose from {', '.join(PYTHON_OF)}")
            if known is None
            else (
                f"{group}.region={region}",
                "no training image is known there; check the spelling (such as us-west-2)",
            )
        )
        raise ConfigError(
            f"{key}: {why}, or name an image with {group}.image_uri; the extra sagemaker brings tables that may be newer"
        )
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    kind = "gpu" if has_gpus(instance_type) else "cpu"
    return f"{_ACCOUNTS[region]}.dkr.ecr.{region}.{suffix}/pytorch-training:{known}-{kind}-{PYTHON_OF[known]}"


def _as_the_sdk_says(version: str, region: str, instance_type: str) -> str | None:
    """Return the image URI from SageMaker's SDK, if that is installed and knows one; importing the SDK takes seconds."""
    try:
        from sagemaker.core import image_uris
    except ImportError:
        return None
    try:
        return str(
            image_uris.retrieve(
                framework="pytorch",
                region=region,
                version=version,
                instance_type=instance_type,
                image_scope="training",
            )
        )
    except (ValueError, KeyError) as error:
        log.info("SageMaker's SDK: %s", error)
        return None


def has_gpus(instance_type: str) -> bool:
    """Whether the instance family has NVIDIA GPUs."""
    return instance_type.split(".")[1][:1] in ("g", "p")


def gpus_of(instance_type: str) -> int | None:
    """Return the number of GPUs of an instance type; None if the table does not contain it."""
    family, size = instance_type.split(".")[1:]
    if not has_gpus(instance_type):
        return 0
    return _GPUS[family].get(size, 1 if family.startswith("g") else None) if family in _GPUS else None


def checked_instance_type(instance_type: str | None, num_gpus_per_trial: int, group: str = "launcher") -> str:
    """Return the instance type, if it is well-formed and has the GPUs that a trial needs.

    Raises:
        ConfigError: The type is malformed, or has too few GPUs.
    """
    if instance_type is None:
        raise ConfigError(f"{group}.instance_type: the benchmark names none; give one, such as ml.g4dn.12xlarge")
    if not _INSTANCE.fullmatch(instance_type):
        raise ConfigError(
            f"{group}.instance_type={instance_type!r}: use a SageMaker type, such as ml.g4dn.12xlarge or ml.c5.4xlarge"
        )
    gpus = gpus_of(instance_type)
    if gpus is not None and gpus < num_gpus_per_trial:
        raise ConfigError(
            f"{group}.instance_type={instance_type}: it has {gpus} GPU(s) but num_gpus_per_trial={num_gpus_per_trial}; "
            f"choose a larger type, or num_gpus_per_trial={gpus}"
        )
    return instance_type
