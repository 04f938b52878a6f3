# In the shape of a Hydra app with structured configs.
from dataclasses import dataclass, field

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

import hpo


@dataclass
class Optimizer:
    name: str = "sgd"
    lr: float = 0.05
    momentum: float = 0.9


@dataclass
class Model:
    width: int = 64
    depth: int = 3
    dropout: float = 0.2


@dataclass
class Config:
    optimizer: Optimizer = field(default_factory=Optimizer)
    model: Model = field(default_factory=Model)
    epochs: int = 9
    batch_size: int = 64
    seed: int = 0
    amp: bool = False


ConfigStore.instance().store(name="config", node=Config)
UNSET = MISSING


@hydra.main(version_base=None, config_name="config")
def main(config: Config) -> None:
    for epoch in range(1, config.epochs + 1):
        hpo.report(epoch=epoch, loss=(config.optimizer.lr - 0.1) ** 2 + config.model.dropout + 1 / epoch)


if __name__ == "__main__":
    main()
