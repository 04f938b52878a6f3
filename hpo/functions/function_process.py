"""The program of a trial that calls a Python function: `python function_process.py ARGUMENTS.json`.

The function is called as objective(config, report); one that takes only the configuration returns its result, or
reports to Ray Tune. ARGUMENTS.json has `function` (`file`, `module` or None, `name`, `base`), `configuration`,
`metric`, `resource_attr`, `until`.
"""

import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from hpo import reporting
from hpo.functions.ray_trainable import hear_ray
from hpo.reporting import report as report_to_tuner

loading: list[str] = []
"""The file of the function that is being loaded, during which it must not start tuning (see `hpo.tune`)."""


class Reporter:
    """The `report` argument of an objective. It does not return at the resource where the trial is to end.

    Args:
        resource_attr: Name of the resource; None if reports are counted instead.
        until: Resource at which the trial ends.
    """

    def __init__(self, resource_attr: str | None, until: int | None) -> None:
        self.resource_attr = resource_attr
        self.until = until
        self.reached: Any = None

    def __call__(self, *mappings: Any, **metrics: Any) -> None:
        """Report a set of metrics, as `hpo.report` does."""
        metrics = {name: value for mapping in mappings for name, value in dict(mapping).items()} | metrics
        report_to_tuner(**metrics)
        if self.resource_attr is None:
            return
        self.reached = metrics.get(self.resource_attr, self.reached)
        if self.until is not None and self.reached is not None and self.reached >= self.until:
            raise SystemExit(0)  # an `except Exception` in the objective does not catch it

    def conclude(self, result: Any, metric: str | None) -> None:
        """Report what the objective returned: a mapping as it is, a number as the metric at the final resource.

        Raises:
            TypeError: The result is a number although there are several metrics (`metric` is None).
        """
        if result is None:
            return
        if isinstance(result, Mapping):
            self(result)
        elif metric is None:
            raise TypeError(
                f"it returned {result!r}; for a multi-objective benchmark return a mapping with all objectives"
            )
        elif self.resource_attr is None:
            self(**{metric: result})
        elif self.reached != self.until:
            self(**{metric: result, self.resource_attr: self.until})


def load(function: Mapping[str, Any]) -> Callable[..., Any]:
    """Return a function, from an imported module or from a file that is executed as a module."""
    if function["module"] is not None:
        if function["base"] not in sys.path:
            sys.path.insert(1, function["base"])
        module = importlib.import_module(function["module"])
    else:
        module = _module_of(function["file"])
    found: Callable[..., Any] = getattr(module, function["name"])
    return found


def _module_of(file: str) -> ModuleType:
    name = os.path.basename(file).removesuffix(".py")  # noqa: PTH119  pathlib takes longer to import than all of this
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(path: str) -> None:
    """Call the function of a trial."""
    sys.path[0] = os.getcwd()  # noqa: PTH109
    with open(path) as file:  # noqa: PTH123
        order = json.load(file)
    reporter = Reporter(order["resource_attr"], order["until"])
    vars(reporting)["report"] = reporter  # for code called by the objective that uses `hpo.report`
    loading.append(order["function"]["file"])
    objective = load(order["function"])
    loading.clear()
    if getattr(getattr(objective, "__code__", None), "co_argcount", 2) != 1:
        result = objective(order["configuration"], reporter)
    else:
        if "ray" in sys.modules:
            hear_ray(objective, reporter)
        result = objective(order["configuration"])
    reporter.conclude(result, order["metric"])


if __name__ == "__main__":
    main(sys.argv[1])
