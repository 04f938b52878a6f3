"""The cost of training on an instance by AWS's public price list."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hpo.sagemaker.client import aws_errors_as_sentence, client

SOURCE = "AWS Price List, AmazonSageMaker, training on demand"
_PLACE = "us-east-1"
"""Region that serves the price list of all regions."""


def training_prices(instance_types: Iterable[str], region: str, profile: str | None) -> dict[str, float]:
    """Return the on-demand prices in USD per hour of the types that are in the list; requests only the list.

    Args:
        instance_types: Instance types, such as ml.g4dn.12xlarge.
        region: Region in which they run.
        profile: Profile of ~/.aws/config; None: as boto3 finds credentials.

    Raises:
        ConfigError: boto3 is not installed, or the profile does not exist.
        HPOError: AWS cannot be reached, or rejects the request.
    """
    found: dict[str, float] = {}
    with aws_errors_as_sentence("--prices aws"):
        pages = client("pricing", _PLACE, profile, hasty=True).get_paginator("get_products")
        for name in instance_types:
            asked = [
                {"Type": "TERM_MATCH", "Field": field, "Value": value}
                for field, value in (("regionCode", region), ("instanceName", name))
            ]
            listed = pages.paginate(ServiceCode="AmazonSageMaker", Filters=asked)
            products = (json.loads(text) for page in listed for text in page["PriceList"])
            prices = {price for product in products if _trains(product, name) for price in _hourly(product)}
            if prices:
                found[name] = max(prices)  # with several prices, never the lower one
    return found


def _trains(product: Mapping[str, Any], name: str) -> bool:
    """Whether a product is training on such an instance, and not hosting, a notebook, or processing."""
    return (
        re.search(rf"(^|-)Train:{re.escape(name)}$", product["product"]["attributes"].get("usagetype", "")) is not None
    )


def _hourly(product: Mapping[str, Any]) -> Iterator[float]:
    for term in product["terms"].get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            price = dimension["pricePerUnit"].get("USD")
            if price is not None and dimension["unit"].lower() in ("hrs", "hours", "hour"):
                yield float(price)
