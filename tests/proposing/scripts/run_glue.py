# In the shape of a fine-tuning example of transformers.
from dataclasses import dataclass, field
from typing import Optional

from transformers import HfArgumentParser, Trainer, TrainerCallback, TrainingArguments

import hpo


@dataclass
class DataTrainingArguments:
    """What is trained on."""

    task_name: Optional[str] = field(default=None, metadata={"help": "The name of the task to train on"})
    max_seq_length: int = field(default=128, metadata={"help": "The maximum total input sequence length"})
    overwrite_cache: bool = field(default=False, metadata={"help": "Overwrite the cached datasets"})
    max_train_samples: Optional[int] = field(default=None, metadata={"help": "Truncate the training examples"})


@dataclass
class ModelArguments:
    """What is fine-tuned."""

    model_name_or_path: str = field(metadata={"help": "Path to pretrained model"})
    use_fast_tokenizer: bool = field(default=True, metadata={"help": "Use a fast tokenizer"})


class Report(TrainerCallback):
    def on_evaluate(self, args, state, control, metrics=None, **kwargs):
        hpo.report(epoch=round(state.epoch), eval_loss=metrics["eval_loss"], eval_accuracy=metrics["eval_accuracy"])


def main():
    parser = HfArgumentParser((ModelArguments, DataTrainingArguments, TrainingArguments))
    model_args, data_args, training_args = parser.parse_args_into_dataclasses()
    trainer = Trainer(model=model_args.model_name_or_path, args=training_args, callbacks=[Report()])
    if training_args.do_train:
        trainer.train()


if __name__ == "__main__":
    main()
