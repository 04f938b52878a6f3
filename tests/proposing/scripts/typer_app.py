# A typer app with two commands.
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

import hpo

app = typer.Typer()


class Schedule(str, Enum):
    cosine = "cosine"
    constant = "constant"


@app.command()
def train(
    data: Annotated[Path, typer.Argument(help="A folder.")],
    lr: Annotated[float, typer.Option("--lr", "-l", min=1e-5, max=0.5, help="Learning rate.")] = 0.01,
    batch_size: int = typer.Option(64, help="Images at a time."),
    schedule: Schedule = Schedule.cosine,
    nesterov: bool = False,
    epochs: int = 9,
    seed: int = 0,
):
    for epoch in range(1, epochs + 1):
        hpo.report(epoch=epoch, accuracy=1 - (lr - 0.1) ** 2 - 1 / epoch)


@app.command()
def evaluate(checkpoint: Path):
    pass


if __name__ == "__main__":
    app()
