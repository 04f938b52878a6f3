"""Without a method the sweeper is Hydra's own: the same jobs, in the same order, in the same folders."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import version
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_automatic_config_search_path, get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException, HydraException
from hydra_plugins.hydra_hpo_sweeper._search import Search
from hydra_plugins.hydra_hpo_sweeper.hpo_sweeper import HpoSweeperConf
from omegaconf import OmegaConf

from hpo.config.hydra_versions import VERSION_BASE

CONFIGURATION = {
    "config.yaml": "defaults: [_self_, db: mysql, schema: null]\nlr: 0.1\nname: null\nlayers: [8]\n"
    "model: {width: 1, act: {kind: relu}}\n",
    "params.yaml": "defaults: [config, _self_]\nhydra: {sweeper: {params: {lr: '1,2', db: sqlite, layers: 'range(2)'}}}\n",
    **{f"db/{name}.yaml": f"driver: {name}\nport: 1\n" for name in ("mysql", "postgresql", "sqlite")},
    **{f"schema/{name}.yaml": f"tables: {name}\n" for name in ("school", "support", "warehouse")},
}
LINES = {
    "a list of a group": ["db=mysql,postgresql"],
    "the product of groups": ["db=mysql,postgresql", "schema=warehouse,school", "lr=0.1"],
    "ranges, up and down": ["model.width=range(1,3)", "lr=range(1.5,0.5,-0.5)"],
    "a choice, sorted, cast and tagged": ["lr=sort(3,1,reverse=true)", "layers=int(choice(1.5))", "name=tag(t,choice(a,b))"],
    "a glob over a group": ["db=glob(*)", "schema=glob([s*,w*],exclude=[*l,w*])"],
    "nested keys, added and forced ones": ["model.act.kind=relu,tanh", "+model.depth=1", "++model.width=3"],
    "lists and mappings": ["layers=[8],[16,32]", "model={width:3,act:{kind:elu}}"],
    "quoted and escaped values": ["name='a,b',\"it's\",c\\,d"],
    "interpolations and null": ["name=${db.driver},null,true", "~db.port=1", "db=sqlite"],
    "params below the command line, and a key twice": ["lr=5,6", "lr=7,8", "--config-name=params"],
    "batches": ["lr=1,2,3", "hydra.sweeper.max_batch_size=2"],
    "folders of the user's": ["lr=1,2", "hydra.sweep.dir=${db.driver}", "hydra.sweep.subdir=${hydra.job.override_dirname}"],
}  # fmt: skip


@pytest.fixture
def app(tmp_path, monkeypatch):
    for name, text in CONFIGURATION.items():
        path = tmp_path / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    monkeypatch.setattr(BasicSweeper, "validate_batch_is_legal", lambda *_: None)  # the launcher composes each again
    yield tmp_path
    GlobalHydra.instance().clear()


def sweep(app, sweeper, words, monkeypatch):
    """Run the app's jobs. Returns, batch by batch, what each was, and where."""
    folder = app / "runs" / sweeper
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    for base in VERSION_BASE.values():
        version.setbase(base)
    GlobalHydra.instance().clear()
    path = create_automatic_config_search_path(str(app / "app.py"), None, "conf")
    hydra = Hydra.create_main_hydra2("app", path)
    options = get_args_parser().parse_args([f"hydra/sweeper={sweeper}", "hydra.sweep.dir=multirun", *words])
    name = options.config_name or "config"
    batches = hydra.multirun(name, lambda config: config.db.driver, options.overrides, with_log_configuration=False)
    jobs = [
        [
            (
                list(job.overrides),
                OmegaConf.to_container(job.cfg, resolve=True),
                job.hydra_cfg.hydra.job.num,
                str(Path(job.hydra_cfg.hydra.runtime.output_dir).relative_to(folder)),
                job.return_value,
            )
            for job in batch
        ]
        for batch in batches
    ]
    return jobs, sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("words", LINES.values(), ids=LINES)
@pytest.mark.long
def test_a_sweep_without_a_method_is_that_of_hydra(app, words, monkeypatch):
    theirs, ours = (sweep(app, sweeper, words, monkeypatch) for sweeper in ("basic", "hpo"))
    assert ours == theirs
    assert sum(map(len, ours[0])) > 1


def test_an_interval_without_a_method_says_what_searches_it(app, monkeypatch):
    with pytest.raises(CompactHydraException, match=r"^lr=interval\(0,1\): .* hydra\.sweeper\.method"):
        sweep(app, "hpo", ["lr=interval(0,1)"], monkeypatch)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["lr=0.1"], r"there is nothing to tune; give a key several values"),
        (["lr=range(2,1)"], r"lr=range\(2,1\): there is no value in this range"),
        (["db=glob(x*)"], r"db=glob\(x\*\): there is no value in this"),
        (["lrr=interval(0,1)"], r"Could not override 'lrr'"),
        (["lr=interval(0,1)", "db=mysql,mongo"], r"Could not find 'db/mongo'"),
        (
            ["lr=interval(0,1)", "hydra.sweeper.max_resource_attr=epochs"],
            r"max_resource_attr=epochs: it is None in the app",
        ),
        (["lr=interval(0,1)", "hydra.sweeper.max_resource_attr=name"], r"max_resource_attr=name: it is None"),
        (
            ["lr=interval(0,1)", "hydra.launcher._target_=elsewhere.Joblib"],
            r"hydra\.sweeper\.overrides=\['launcher=slurm'\]",
        ),
    ],
)
def test_a_search_that_cannot_be_meant_is_one_sentence_before_anything_is_written(app, words, sentence, monkeypatch):
    with pytest.raises(HydraException, match=sentence):
        sweep(app, "hpo", ["hydra.sweeper.method=RS", *words], monkeypatch)
    assert not list((app / "runs" / "hpo").iterdir())


def test_a_trial_is_no_sweep_itself(app, monkeypatch):
    monkeypatch.setenv("HPO_TRIAL_ID", "3")
    with pytest.raises(CompactHydraException, match=r"this is trial 3 of a search already"):
        sweep(app, "hpo", ["hydra.sweeper.method=RS", "lr=interval(0,1)"], monkeypatch)


@pytest.mark.parametrize(
    ("whitelist", "sentence"),
    [
        (("app.*",), r"the execution_whitelist of @hydra\.main .* add 'hydra_plugins\.hydra_hpo_sweeper\.\*' to it"),
        (("app.*", "hydra_plugins.hydra_hpo_sweeper.*"), r"hydra/launcher=elsewhere"),  # what is checked next
        (None, r"hydra/launcher=elsewhere"),
    ],
)
def test_a_whitelist_that_lacks_what_takes_the_results_is_one_sentence(whitelist, sentence):
    context = SimpleNamespace(execution_whitelist=whitelist, config_loader=None)
    config = OmegaConf.create({"hydra": {"launcher": {"_target_": "elsewhere"}, "runtime": {"choices": {}}}})
    with pytest.raises(CompactHydraException, match=sentence):
        Search(context, config, HpoSweeperConf(method="RS")).run([])


@pytest.mark.parametrize("key", ["objectives", "constraints", "search_space", "benchmark"])
def test_a_mapping_is_asked_for_where_one_is_needed(key):
    with pytest.raises(CompactHydraException, match=rf"^hydra\.sweeper\.{key}=loss: write a mapping"):
        Search(SimpleNamespace(), OmegaConf.create({}), HpoSweeperConf(method="RS", **{key: "loss"})).run([])


@pytest.mark.parametrize(("words", "warned"), [(["+seed=1,2,3"], True), (["lr=1,2"], False)])
def test_a_seed_that_is_swept_in_a_search_is_warned_of(app, words, warned, monkeypatch, caplog):
    with pytest.raises(HydraException, match="max_resource_attr"):  # so that nothing runs
        sweep(app, "hpo", ["hydra.sweeper.method=RS", "hydra.sweeper.max_resource_attr=name", *words], monkeypatch)
    assert ("the search prefers lucky seeds" in caplog.text) == warned
