"""In a real kernel: the example notebook runs, the view below a cell is drawn again, and interrupting ends in order."""

import asyncio
import time

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import hpo
from hpo.watching.notebook import in_notebook
from tests.reliability.harness import wait_until
from tests.support.hosted import ROOT

pytestmark = [pytest.mark.process, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")]

EXAMPLE = ROOT / "docs" / "notebook.ipynb"


def kernel(cells, folder):
    """A client of a notebook in its own folder."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    return NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}})


def shown(cell, kind="text/html"):
    return [output["data"][kind] for output in cell.outputs if kind in output.get("data", {})]


def test_the_example_runs_from_its_first_to_its_last_cell(tmp_path):
    notebook = nbformat.read(EXAMPLE, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    tuned, _, table, loaded, followed, report = code[3:]
    live, outcome = shown(tuned)
    assert "<pre" in live
    assert "complete" in live, "the last frame stays"
    assert "<table>" in outcome
    assert "<svg" in outcome
    assert all(len(html.encode()) <= 20_000 for html in shown(tuned))
    assert "error" in shown(table, "text/plain")[0]
    assert "<table>" in shown(loaded)[0]
    assert "configuration" in shown(followed, "text/plain")[-1]
    assert 'sandbox="allow-scripts"' in shown(report)[0]
    experiments = hpo.load_experiments(tmp_path / "outputs")
    assert [e.status for e in experiments] == ["complete", "complete"]


FUNCTION = """
import hpo
def objective(config, report):
    import time
    for epoch in range(1, 1000):
        time.sleep(0.05)
        report(epoch=epoch, error=config["x"])
settings = dict(metric="error", mode="min", resource_attr="epoch", max_resource=1000, method="RS", experiment_tag="t")
"""


def test_interrupting_the_cell_ends_the_session_in_order(tmp_path):
    client = kernel(
        [FUNCTION, "hpo.tune(objective, {'x': {'type': 'float', 'lower': 0, 'upper': 1}}, **settings)"], tmp_path
    )

    async def interrupt():
        await asyncio.to_thread(wait_until, lambda: list(tmp_path.glob("outputs/t/*/*/*/trials/0")), 60)
        await asyncio.sleep(1.0)
        await client.km.interrupt_kernel()

    tasks = []

    def begin(cell, cell_index):
        if cell_index == 1:
            tasks.append(asyncio.get_running_loop().create_task(interrupt()))

    client.on_cell_execute = begin
    with pytest.raises(CellExecutionError, match="KeyboardInterrupt"):
        client.execute()
    [experiment] = hpo.load_experiments(tmp_path / "outputs")
    assert experiment.metadata["status"] == "interrupted"
    assert {state.status for state in experiment.state.trials.values()} == {"interrupted"}
    time.sleep(0.2)
    assert len(experiment.refresh().events) == len(experiment.events), "no trial goes on"


def test_a_script_is_no_notebook():
    assert not in_notebook()
