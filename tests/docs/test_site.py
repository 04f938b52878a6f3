"""The site: every page has a place in it, and every name, key and option that a user may write stands on a page."""

import re

import pytest
import yaml
from omegaconf import OmegaConf

import hpo
from hpo import analysis, schedulers, searchers
from hpo.cli.commands.all_commands import VERBS
from hpo.config.config_folders import CONF_DIR
from hpo.config.schema import BenchmarkConfig, ExperimentConfig
from hpo.events.types import Kind
from hpo.schedulers.construction import MULTI_OBJECTIVE_METHODS
from hpo.space import domain_parsing
from hpo.space.search_space import parse_space
from release import key_reference, method_reference, pages, reference
from tests.support.pages import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The pages that a builder is given, by their paths there. Writing them turns every link, or says which cannot be."""
    target = tmp_path_factory.mktemp("site")
    pages.write_pages(target)
    return {str(path.relative_to(target)): path.read_text() for path in target.rglob("*.md")}


def places(nav):
    """The pages that a table of contents names."""
    for entry in nav:
        for value in entry.values():
            yield from [value] if isinstance(value, str) else places(value)


def test_every_page_stands_once_in_the_table_of_contents(site):
    listed = sorted(places(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert listed == sorted(site), "mkdocs.yml, nav: a page is missing in it, or it names one that is not there"


def test_the_readme_links_every_page_of_the_documentation():
    linked = set(re.findall(r"\]\((docs/[^)#]+\.md)", (ROOT / "README.md").read_text()))
    assert linked == {str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")}


def test_pages_are_built_from_copies_in_which_files_of_blocks_are_titles(site):
    assert "](docs/" not in site["index.md"]
    assert not [name for name, text in site.items() if re.search(r"^```\w+ file=", text, re.MULTILINE)]


def test_a_link_that_leads_out_of_the_site_is_said():
    known = {pages.Path("docs/a.md"): pages.Path("a.md"), pages.Path("README.md"): pages.Path("index.md")}
    assert (
        pages.turned("[x](../README.md#two) `[y](z)`", pages.Path("docs/a.md"), known) == "[x](index.md#two) `[y](z)`"
    )
    with pytest.raises(ValueError, match=r"docs/a.md: the link to ../Makefile leads out"):
        pages.turned("[x](../Makefile)", pages.Path("docs/a.md"), known)


def test_every_public_name_is_in_the_reference(site):
    shown = re.findall(r"heading: (\S+)", site["reference/python.md"])
    expected = {f"hpo.{name}" for name in hpo.__all__} - {"hpo.__version__", "hpo.checkpoint"}
    expected |= {f"hpo.checkpoint.{name}" for name in ("directory", "load", "save")}
    for module in (analysis, schedulers, searchers):
        expected |= {f"{module.__name__}.{name}" for name in module.__all__} - {"hpo.analysis.figures"}
    assert expected <= set(shown)
    assert len(shown) == len(set(shown))


def test_every_verb_and_every_option_is_in_the_reference(site):
    text = site["reference/commands.md"]
    sources = "".join(path.read_text() for path in (ROOT / "hpo" / "cli" / "commands").glob("*.py"))
    written = re.findall(r'^@verb\((?:"([\w-]+)")?\)\ndef (\w+)', sources, re.MULTILINE)
    assert sorted(re.findall(r"^## hpo (\S+)$", text, re.MULTILINE)) == sorted(name or own for name, own in written)
    assert sorted(VERBS) == sorted(name or own for name, own in written)
    for name, verb in VERBS.items():
        section = text.partition(f"## hpo {name}\n")[2].partition("\n## ")[0]
        shown = [param for param in verb.params if not getattr(param, "hidden", False)]
        wanted = {word for param in shown for word in [*param.opts, *param.secondary_opts]}
        assert {word for word in wanted if word.startswith("-") and word not in section} == set()
        assert verb.help.split()[0] in section


@pytest.mark.parametrize("name", sorted(reference.PAGES))
def test_a_generated_page_is_committed_as_it_is_generated(name):
    assert (reference.DOCS / name).read_text() == reference.page(name), "run: python -m release.reference"


@pytest.mark.parametrize(("config", "part"), [(ExperimentConfig, "experiment"), (BenchmarkConfig, "benchmark")])
def test_every_key_is_explained_and_none_that_does_not_exist(config, part):
    explained = key_reference.explanations()[part]
    assert set(explained) == {field.name for field in key_reference.keys_of(config)}, "release/keys.yaml"
    section = (
        (reference.DOCS / "configuration.md").read_text().partition(f"## Keys of a{'n' * (part[0] == 'e')} {part}\n")[2]
    )
    shown = re.findall(r"^\| `(\w+)`", section.partition("\n## ")[0], re.MULTILINE)
    assert shown == list(explained)


@pytest.mark.parametrize("part", ["experiment", "benchmark"])
def test_an_example_of_a_key_is_accepted(part):
    schema = OmegaConf.structured(ExperimentConfig if part == "experiment" else BenchmarkConfig)
    for name, key in key_reference.explanations()[part].items():
        if part == "benchmark":
            OmegaConf.merge(schema, OmegaConf.create(key["example"]))
            assert list(OmegaConf.create(key["example"])) == [name]
        elif name not in key_reference.GROUPS:
            words = key["example"].removeprefix("+")
            assert words.startswith((f"{name}=", f"{name}."))
            if name != "seed":  # whose example is a sweep
                OmegaConf.merge(schema, OmegaConf.from_dotlist([words]))


def test_every_key_of_a_hyperparameter_is_explained_with_an_example_that_is_accepted():
    told = key_reference.explanations()["domain"]
    known = set().union(*domain_parsing._KEYS.values()) | {"argument", "when", "otherwise", "default", "confidence"}
    assert set(told) - {"type"} == known
    numeric = OmegaConf.create({"type": "float", "lower": 0.1, "upper": 0.9})
    needed = {"otherwise": ["when"], "confidence": ["default"]}
    for name in told:
        domain = OmegaConf.create({"type": "choice"} if name == "values" else numeric)
        domain = OmegaConf.merge(
            domain, *(OmegaConf.create(told[each]["example"]) for each in [*needed.get(name, []), name])
        )
        if name == "otherwise":
            domain.otherwise = 0.5
        if name == "default":
            domain.default = 0.5
        if name == "confidence":
            domain.default = 0.5
        space = {"optimizer": {"type": "choice", "values": ["sgd", "adam"]}, "x": OmegaConf.to_container(domain)}
        assert "x" in parse_space(space).domains


@pytest.mark.parametrize("group", ["launcher", "backend"])
def test_every_key_of_a_launcher_and_a_backend_is_on_the_page(group):
    page = (reference.DOCS / "configuration.md").read_text()
    for path in (CONF_DIR / group).glob("*.yaml"):
        section = page.partition(f"### `{group}={path.stem}`\n")[2].partition("\n##")[0]
        content = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        nested = {f"{name}.{inner}" for name, value in content.items() if isinstance(value, dict) for inner in value}
        assert set(re.findall(rf"^\| `{group}\.([\w.]+)` \|", section, re.MULTILINE)) == (set(content) | nested) - {
            "name",
            "_target_",
        }
        assert not re.search(r"\|  \|$", section, re.MULTILINE), "a key without a word on what it does"


def test_the_table_of_tasks_is_what_the_help_lists(site):
    help_text = OmegaConf.load(CONF_DIR / "config.yaml").hydra.help.template
    rows = re.findall(r"^\| (.*?) \| \[`hpo (\S+)`\]", site["reference/commands.md"], re.MULTILINE)
    assert {command for _, command in rows} == set(VERBS) - {"completion"}
    for task, command in rows:
        if command != "init":  # the help has a section for it
            assert re.search(rf"^{command} +{re.escape(task)}$", help_text, re.MULTILINE), command


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("RS", ("yes", "never stopped", "random", "yes")),
        ("ASHA", ("yes", "ranked", "random", "rejected")),
        ("BO-MEDIAN", ("yes", "compared", "modelled", "rejected")),
        ("CMA-ES", ("rejected", "never stopped", "ranked", "rejected")),
        ("DEHB", ("rejected", "ranked", "ranked", "rejected")),
        ("MO-ASHA-GP", ("yes", "ranked", "modelled", "yes")),
        ("BOTORCH", ("yes", "rejected", "rejected", "rejected")),
    ],
)
def test_a_method_supports_what_its_row_says(method, expected):
    assert method_reference.supported(method) == expected


def test_exactly_the_methods_that_are_called_multi_objective_take_several_objectives():
    several = {name for name in method_reference.method_names() if method_reference.supported(name)[3] == "yes"}
    assert several == set(MULTI_OBJECTIVE_METHODS)


@pytest.mark.parametrize("path", sorted((CONF_DIR / "method").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_method_s_file_says_what_it_does_where_it_is_from_and_what_it_costs(path):
    about, source, cost = method_reference.about_method(path).split("\n\n")
    assert source.startswith("Source: ")
    assert cost.startswith("Cost: ")
    assert all(part.endswith(".") for part in (about, source, cost))


def test_every_kind_of_event_and_every_file_is_told(site):
    text = site["reference/files.md"]
    assert {kind.value for kind in Kind} == set(
        re.findall(r"^\| `(\w+)` \|", text.partition("| `kind` |")[2], re.MULTILINE)
    )
    assert {
        "experiment.yaml",
        "metadata.json",
        "events.db",
        "results.csv.zip",
        "best.yaml",
        "hpo.log",
        "trials",
    } <= set(re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE))
