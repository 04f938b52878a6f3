# A Hydra app whose configuration lies in files.
import hydra

import hpo


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    for step in range(1, config.trainer.max_steps + 1):
        hpo.report(step=step, perplexity=config.optim.lr + config.model.n_layer / step)


if __name__ == "__main__":
    main()
