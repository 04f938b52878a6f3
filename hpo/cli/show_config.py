"""`--cfg job`: the configuration that a command would run. Hydra's own option does not show the experiments of a sweep."""

from collections.abc import Sequence
from dataclasses import dataclass

from omegaconf import OmegaConf

from hpo.config.reading import to_plain
from hpo.config.yaml_files import dump_verbatim
from hpo.errors import ConfigError
from hpo.launchers.base import Job
from hpo.store.experiment_paths import from_here


@dataclass(frozen=True)
class CfgJob:
    """The option `--cfg job` of a command line, parsed."""

    overrides: Sequence[str]
    """All other arguments of the command line."""
    package: str | None
    """The part of the configuration to show; None shows all of it."""


def cfg_job(arguments: Sequence[str]) -> CfgJob | None:
    """Parse `--cfg job`; None if the command line does not have it or asks for Hydra's own configuration."""
    words, rest, wanted, package = iter(arguments), [], False, None
    for word in words:
        name, equals, value = word.partition("=")
        if name in ("--cfg", "-c"):
            value = value if equals else next(words, "")
            if value != "job":
                return None
            wanted = True
        elif name in ("--package", "-p"):
            package = value if equals else next(words, "")
        elif word != "--resolve":  # the output is always resolved
            rest.append(word)
    return CfgJob(rest, package) if wanted else None


def describe_jobs(jobs: Sequence[Job], asked: CfgJob) -> str:
    """Return the first experiment's configuration as YAML, with a list of all experiments in comments.

    Raises:
        ConfigError: The configuration has no such part.
    """
    first = jobs[0]
    node = OmegaConf.create(to_plain(first.config))
    if asked.package is not None:
        content = OmegaConf.select(node, asked.package)
        if content is None:
            raise ConfigError(
                f"--package {asked.package}: the configuration has no such part; use one such as benchmark"
            )
        node = OmegaConf.create({asked.package: content})
    heads = [f"# {from_here(job.output_dir)}" for job in jobs]
    many = f"# The first of {len(jobs)} experiments:\n" if len(jobs) > 1 else ""
    return (
        many
        + "\n".join(heads[:20])
        + ("\n# …" if len(heads) > 20 else "")
        + "\n"
        + dump_verbatim(OmegaConf.to_container(node))
    )
