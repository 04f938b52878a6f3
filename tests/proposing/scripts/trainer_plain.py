# In the shape of a fine-tuning example of transformers that leaves the reporting to the Trainer.
from transformers import HfArgumentParser, Trainer, TrainingArguments

(training,) = HfArgumentParser((TrainingArguments,)).parse_args_into_dataclasses()
trainer = Trainer(args=training)
if training.do_train:
    trainer.train()
