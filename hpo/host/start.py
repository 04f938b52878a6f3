"""Start of a module of this package: `python …/hpo/host/start.py MODULE ARGUMENTS…`. Standard library only.

`python -m` searches the working directory first, where a user's hpo.py would be taken for this package and a random.py for
Python's. Here nothing is taken from there, and the package is the one that this file belongs to.
"""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    sys.path[0] = "/dev/null"  # nothing is found there; a trial puts its script's folder in this place

import importlib.util


def main() -> None:
    """Import the module named by the first argument, and call its `main` with the others."""
    spec = importlib.util.spec_from_file_location("hpo", f"{__file__.rsplit('/', 2)[0]}/__init__.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules["hpo"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["hpo"])
    del sys.argv[0]
    importlib.import_module(sys.argv[0]).main()


if __name__ == "__main__":
    main()
