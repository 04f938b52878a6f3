"""The help text in `conf/config.yaml`, and the keys with their comments as that file has them."""

from pathlib import Path

import yaml

SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""PyYAML's faster safe loader where it was built with it."""


def read_help_template(path: Path) -> tuple[str, str]:
    """Return the template of the help text, and the lines of the keys that are not Hydra's.

    Args:
        path: The primary configuration file: a list of defaults, a blank line, keys, and at the end `hydra:`.
    """
    text = path.read_text()
    before, _, hydra = text.partition("\nhydra:")
    template = yaml.load(f"hydra:{hydra}", Loader=SafeLoader)
    return template["hydra"]["help"]["template"], before.partition("\n\n")[2].strip()
