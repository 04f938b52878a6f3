# In the shape of a click app with one command.
import click

import hpo


@click.command(context_settings={"show_default": True})
@click.option("--lr", "-l", default=1e-2, help="Learning rate.")
@click.option("--batch-size", "-b", type=click.IntRange(1, 256), default=32)
@click.option("--momentum", type=click.FloatRange(0, 1), default=0.9)
@click.option("--optimizer", type=click.Choice(["sgd", "adam"]), default="sgd")
@click.option("--nesterov/--no-nesterov", default=False, help="Nesterov's momentum?")
@click.option("--verbose", is_flag=True)
@click.option("--epochs", "-e", default=9)
@click.option("--out", type=click.Path(), default=None)
def main(lr, batch_size, momentum, optimizer, nesterov, verbose, epochs, out):
    for epoch in range(1, epochs + 1):
        hpo.report(epoch=epoch, train_loss=lr / epoch, accuracy=1 - (lr - 0.1) ** 2 - 1 / (epoch + batch_size))


if __name__ == "__main__":
    main()
