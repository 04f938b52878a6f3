"""Prices of machines, from a file of the user or from AWS's price list. hpo ships none: they change and differ by region.

date: 2026-11-01
region: us-east-1
currency: USD
source: https://…            # where they were read
prices:                      # per hour, on demand
  ml.g4dn.12xlarge: 4.9
"""

import os
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hpo.config.yaml_files import dump_yaml, read_plain
from hpo.errors import ConfigError, HPOError
from hpo.store.atomic_files import write_atomically

AWS = "aws"
"""Value of `--prices` that asks AWS instead of reading a file."""
KEPT_DAYS = 7
_TEXTS = ("date", "region", "currency", "source")


@dataclass(frozen=True)
class Prices:
    """On-demand prices per hour by instance type, with their date, region, currency and source."""

    date: str
    region: str
    currency: str
    source: str
    prices: dict[str, float] = field(default_factory=dict)


def read_prices(path: Path) -> Prices:
    """Read prices from a YAML file.

    Raises:
        ConfigError: A key is missing, or a price is not a number.
    """
    content = read_plain(path)
    needed = (*_TEXTS, "prices")
    if missing := [name for name in needed if not isinstance(content, dict) or name not in content]:
        raise ConfigError(f"--prices {path}: it has no {missing[0]}; it needs {', '.join(needed)}")
    prices = content["prices"]
    if not isinstance(prices, dict) or not prices:
        raise ConfigError(f"--prices {path}: prices={prices!r}; give one per line, such as ml.g4dn.12xlarge: 4.9")
    for name, price in prices.items():
        if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price < float("inf"):
            raise ConfigError(f"--prices {path}: prices.{name}={price!r}; give a number, per hour")
    per_hour = {str(name): float(price) for name, price in prices.items()}
    return Prices(**{name: str(content[name]) for name in _TEXTS}, prices=per_hour)


def ask_aws(instance_types: Collection[str], region: str, profile: str | None) -> Prices:
    """Return prices of AWS's list, cached in a file; AWS is asked again if that is old or lacks an instance type.

    Args:
        instance_types: Names such as ml.g4dn.12xlarge; may be empty.
        region: AWS region where the instances run.
        profile: Profile of ~/.aws/config.

    Raises:
        ConfigError: boto3 or the profile does not exist.
        HPOError: AWS cannot be reached, or rejects the request; the message names the file of an earlier request, if
            any.
    """
    from hpo.sagemaker.prices import SOURCE, training_prices

    path = Path(os.environ.get("HPO_CACHE", "~/.cache/hpo")).expanduser() / "prices" / f"aws-{region}.yaml"
    known = read_prices(path) if path.is_file() else None
    missing = set(instance_types) - set(known.prices if known else ())
    if known is not None and not missing and time.time() - path.stat().st_mtime < KEPT_DAYS * 86400:
        return known
    today = time.strftime("%Y-%m-%d")
    try:
        asked = training_prices(sorted({*instance_types, *(known.prices if known else ())}), region, profile)
    except HPOError as error:
        if known is None or missing:
            raise
        raise HPOError(f"{error}; --prices {path} takes those of {known.date}") from error
    prices = Prices(today, region, "USD", f"{SOURCE}; kept in {path}", asked)
    if asked:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, dump_yaml(asdict(prices)).encode())
    return prices
