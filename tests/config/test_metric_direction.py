"""Names of metrics that contradict the mode."""

import pytest

from hpo.config.config_folders import CONF_DIR
from hpo.config.metric_direction import doubt
from hpo.config.reading import load_config

HIGHER = """acc ACC Accuracy val_acc test/accuracy valAcc val-acc eval.acc accuracy@1 top5_acc top_1_acc auc ROC_AUC rocAUC
AUROC f1 F1 f1-score macroF1 F1Score val_f1_macro r2 R2 test.r2 bleu BLEU sacre_bleu rouge mAP val/map IoU mIoU mean_reward"""
LOWER = """loss val_loss testLoss Loss train/loss error error_rate test-error errorRate valErr perplexity word_ppl rmse RMSE
MSE val.mae logloss log_loss nll wer FID simple_regret"""
NEITHER = """acc_loss accuracy_error f1_loss precision_error score value objective lossy errands accent accumulated
fast mapped neg_loss neg_mean_squared_error 1-acc one_minus_acc acc_drop loss_gap
epochs_to_acc likelihood time x y 1 _ reward_per_loss"""


@pytest.mark.parametrize(("names", "usual", "other"), [(HIGHER, "max", "min"), (LOWER, "min", "max")])
def test_a_name_that_says_its_direction_is_doubted_with_the_other(names, usual, other):
    for name in names.split():
        assert doubt(name, usual) is None, name
        text = doubt(name, other)
        assert text is not None, name
        assert f"benchmark.metric={name}, benchmark.mode={other}" in text
        assert f"mode: {usual}" in text


@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_name_of_both_kinds_or_of_neither_is_not_doubted(mode):
    assert [name for name in NEITHER.split() if doubt(name, mode)] == []


@pytest.mark.long
def test_no_benchmark_that_hpo_has_is_doubted():
    for path in (CONF_DIR / "benchmark").glob("*.yaml"):
        benchmark = load_config(path.stem, "RS").benchmark
        assert doubt(benchmark.metric, benchmark.mode.value) is None, path
