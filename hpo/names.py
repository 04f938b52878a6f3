"""Names that become directories: they must not lead elsewhere, whoever wrote the configuration they stand in."""

from hpo.errors import ConfigError


def check_names(benchmark: str, method: str, experiment_tag: str) -> None:
    """Raise ConfigError unless each of them is the name of one directory."""
    for key, name in (("benchmark.name", benchmark), ("method.name", method), ("experiment_tag", experiment_tag)):
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise ConfigError(f"{key}={name!r}: it becomes the name of a directory; use a name without '/'")
