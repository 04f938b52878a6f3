"""Which domain is proposed for an argument, by its name and its default."""

import pytest

from hpo.proposing.arguments import Argument
from hpo.proposing.domains import propose
from hpo.space.search_space import parse_space

HYPERPARAMETERS = [
    ("lr", "float", 0.01, {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True}),
    ("learningRate", "float", 1e-5, {"type": "float", "lower": 1e-7, "upper": 1e-3, "log": True}),
    ("optim.base_lr", "float", 2.0, {"type": "float", "lower": 0.02, "upper": 20.0, "log": True}),
    ("weight-decay", "float", 0.0, {"type": "float", "lower": 1e-6, "upper": 1e-2, "log": True}),
    ("wd", "float", 0.1, {"type": "float", "lower": 1e-3, "upper": 1.0, "log": True}),
    ("hidden_dropout_prob", "float", 0.1, {"type": "float", "lower": 0.0, "upper": 0.8}),
    ("dropout", "float", 0.9, {"type": "float", "lower": 0.0, "upper": 0.9}),
    ("momentum", "float", 0.9, {"type": "float", "lower": 0.5, "upper": 0.99, "reverse_log": True}),
    ("momentum", "float", 0.0, {"type": "float", "lower": 0.0, "upper": 0.99}),
    ("adam_beta2", "float", 0.999, {"type": "float", "lower": 0.995, "upper": 0.9999, "reverse_log": True}),
    ("batch_size", "int", 100, {"type": "ordinal", "values": [32, 64, 128, 256, 512]}),
    ("bs", "int", 1, {"type": "ordinal", "values": [1, 2, 4]}),
    ("num_hidden_layers", "int", 12, {"type": "int", "lower": 6, "upper": 24}),
    ("n_layers", "int", 1, {"type": "int", "lower": 1, "upper": 2}),
    ("hidden_units", "int", 128, {"type": "int", "lower": 32, "upper": 512, "log": True}),
    ("d_model", "int", 256, {"type": "ordinal", "values": [64, 128, 256, 512]}),
    ("C", "float", 1.0, {"type": "float", "lower": 0.01, "upper": 100.0, "log": True}),
    ("min_samples_leaf", "int", 1, {"type": "int", "lower": 1, "upper": 10, "log": True}),
]


@pytest.mark.parametrize(("name", "kind", "default", "domain"), HYPERPARAMETERS)
def test_a_hyperparameter_gets_a_domain_around_its_default(name, kind, default, domain):
    proposal = propose(Argument(name, kind, default))
    assert proposal.sure
    assert {key: pytest.approx(v) if type(v) is float else v for key, v in domain.items()} == proposal.domain
    assert default in (100,) or default == 0.0 or default in parse_space({"x": proposal.domain}).domains["x"]


NEVER = """seed random_state manual_seed port num_workers workers n_jobs threads gpu device local_rank data_dir save_path out
output_dir log_interval print-freq verbose test_batch_size per_device_eval_batch_size eval_every save_steps num_classes
vocab_size max_seq_length checkpoint_interval start_epoch epochs max_steps nEpochs num_train_epochs lr_warmup_min nhead"""


@pytest.mark.parametrize("name", NEVER.split())
def test_what_is_no_hyperparameter_is_never_proposed(name):
    for kind, default in (("int", 8), ("float", 0.5)):
        proposal = propose(Argument(name, kind, default))
        assert proposal is None or not proposal.sure, name


def test_a_number_of_which_the_name_says_nothing_is_only_shown():
    for kind, default in (("int", 8), ("float", 0.5)):
        assert propose(Argument("widgets", kind, default)).sure is False
    assert propose(Argument("widgets", "float", 0.0)) is None
    assert propose(Argument("widgets", "float", None)) is None


def test_choices_and_bounds_of_the_parser_hold():
    choice = propose(Argument("optimizer", "text", "sgd", ["sgd", "adam"]))
    assert choice.domain == {"type": "choice", "values": ["sgd", "adam"]}
    assert propose(Argument("width", "int", 64, [32, 64, 128])).domain["type"] == "ordinal"
    assert propose(Argument("dataset", "text", "a", ["a", "b"])) is None
    assert propose(Argument("lr", "float", 0.1, bounds=(0.01, 0.5))).domain["lower"] == 0.01
    assert propose(Argument("lr", "float", 0.1, bounds=(0.01, 0.5))).domain["upper"] == 0.5
    assert propose(Argument("batch_size", "int", 32, bounds=(None, 64))).domain["values"] == [8, 16, 32, 64]


def test_a_boolean_is_only_shown():
    assert propose(Argument("nesterov", "bool", False)).sure is False
    assert propose(Argument("nesterov", "word", False)).domain == {"type": "choice", "values": ["true", "false"]}


def test_without_a_default_that_is_needed_the_usual_one_is_said():
    proposal = propose(Argument("lr", "float", required=True))
    assert proposal.sure
    assert proposal.domain == {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True}
    assert proposal.why == "no default is known, around 0.01"
    assert propose(Argument("lr", "float")).sure is False


@pytest.mark.parametrize("default", [1e-12, 0.5, 0.9999999, 0.99999999999, 1.0, 3.0, 1e9])
@pytest.mark.parametrize("name", [case[0] for case in HYPERPARAMETERS] + ["gamma", "subsample", "clip", "widgets"])
def test_every_proposal_is_a_domain(name, default):
    for kind in ("float", "int"):
        proposal = propose(Argument(name, kind, default if kind == "float" else max(1, int(default))))
        assert proposal is None or parse_space({"x": proposal.domain}).domains
