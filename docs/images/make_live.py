"""Makes live.svg: the live table as it stands in the middle of a real run of mlp_digits.

python docs/images/make_live.py
"""

import io
import tempfile
from pathlib import Path

from rich.console import Console

import hpo
from hpo.events.state import ExperimentState
from hpo.events.types import Event
from hpo.history.live_board import Board
from hpo.watching.progress import LiveTable, live_frame

SHOWN_AT = 150
"""The report at which the picture is taken."""


class Picture(LiveTable):
    """Draws once, into a file."""

    def on_open(self, state: ExperimentState) -> None:
        """Nothing to put up."""
        self._board = Board(self._config)

    def on_event(self, event: Event) -> None:
        """Take the picture at its moment."""
        assert self._board is not None
        self._board.apply(event)
        if event.kind == "reported" and self._board.state.reports == SHOWN_AT:
            console = Console(record=True, width=132, file=io.StringIO(), force_terminal=True)
            console.print(live_frame(self._board, 132, 30))
            path = Path(__file__).with_name("live.svg")
            path.write_text(console.export_svg(title="python -m hpo benchmark=mlp_digits method=ASHA"))


def main() -> None:
    """Run and draw."""
    config = hpo.load_config(
        "mlp_digits", "ASHA", seed=0, random_seed=1, max_num_trials=40, experiment_tag="quickstart"
    )
    with tempfile.TemporaryDirectory() as directory:
        hpo.run_experiment(config, directory, callbacks=[Picture(config)])


if __name__ == "__main__":
    main()
