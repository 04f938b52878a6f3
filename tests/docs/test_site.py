"""The site: every page has a place in it, and every name, key and option that a user may write stands on a page."""

import re

import pytest
import yaml

import hpo
from hpo import analysis, schedulers, searchers
from hpo.cli.commands.all_commands import VERBS
from hpo.config.schema import CONF_DIR, BenchmarkConfig, ExperimentConfig
from hpo.events.types import Kind
from release import pages, reference
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


@pytest.mark.parametrize(
    ("config", "table"), [(ExperimentConfig, "Top level"), (BenchmarkConfig, "A benchmark's keys")]
)
def test_every_key_is_told_and_none_that_is_not_there(config, table, site):
    told = reference.told(table)
    keys = {field.name for field in reference.keys_of(config)}
    assert keys - set(told) == set(), "docs/configuration.md does not tell them"
    assert {name for name in told if "." not in name} - keys == set(), "docs/configuration.md tells what is no key"
    assert all(f"| `{key}` |" in site["reference/keys.md"] for key in keys)


@pytest.mark.parametrize("path", sorted((CONF_DIR / "method").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_method_s_file_says_what_it_does_where_it_is_from_and_what_it_costs(path):
    about, source, cost = reference.about_method(path).split("\n\n")
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
