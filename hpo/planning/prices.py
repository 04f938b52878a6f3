"""What machines cost, from a file of the user's. None comes with hpo: prices change, and differ by region and contract.

date: 2026-11-01
region: us-east-1
currency: USD
source: https://…            # where they were read
prices:                      # per hour, on demand
  ml.g4dn.12xlarge: 4.9
"""

from dataclasses import dataclass, field
from pathlib import Path

from hpo.config.yamlfiles import read_plain
from hpo.errors import ConfigError

_TEXTS = ("date", "region", "currency", "source")


@dataclass(frozen=True)
class Prices:
    """Prices per hour, on demand, and where and when they were valid."""

    date: str
    region: str
    currency: str
    source: str
    prices: dict[str, float] = field(default_factory=dict)


def read_prices(path: Path) -> Prices:
    """The prices in a YAML file.

    Raises:
        ConfigError: something is missing in it, or no number.
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
