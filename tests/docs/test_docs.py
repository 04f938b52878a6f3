"""Every command and every Python example of the documentation is run, page by page, as a reader would.

Blocks marked `file=NAME` are saved under that name, `bash` blocks are run line by line, Python blocks that begin with
`import hpo` are run as scripts. Commands for what this machine lacks (GPUs) stand in `text` blocks and are composed only.
"""

import re
import shlex

import pytest

from tests.support.marks import or_slow
from tests.support.pages import ROOT, arguments_of, blocks, commands, run, save

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = re.compile(r"(^|\s)hpo (?=\S*=|--config-dir |@)")
"""What begins a command that runs experiments."""
LONG = ("exporting", "priors", "reporting")
"""Pages that train for seconds what other pages train too."""
ELSEWHERE = {"frameworks": "its libraries are not those of the suite: make test-extras runs it, by tests/integrations"}


def test_a_line_that_needs_a_shell_is_left_to_one():
    assert arguments_of("python -m hpo a=1,2 'b=${c}'  # why") == ["a=1,2", "b=${c}"]
    assert arguments_of("hpo status first") == ["status", "first"]
    for command in (
        "hpo status first | head",
        "A=1 python -m hpo",
        "python train.py",
        "hpo plot outputs/*",
        "hpo a=$B",
    ):
        assert arguments_of(command) is None


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "page", or_slow(PAGES, [page for page in PAGES if page.stem not in LONG]), ids=lambda page: page.stem
)
@pytest.mark.process
def test_what_the_page_says_works(page, tmp_path):
    if page.stem in ELSEWHERE:
        pytest.skip(ELSEWHERE[page.stem])
    for language, name, text in blocks(page.read_text()):
        if name:
            save(tmp_path, name, text)
        elif language == "bash":
            for command in commands(text):
                if command.startswith(("make ", "git ")):
                    continue  # the whole suite, and what leads to it
                run(command, tmp_path, shell=True)
        elif language == "python" and text.startswith("import hpo"):
            run(text, tmp_path, shell=False)
        elif language == "text":
            for command in commands(text):
                if (call := RUN.search(command)) is not None:
                    words = shlex.split(command[call.end() :].partition("  #")[0])
                    sweep = any("," in word and "[" not in word for word in words)
                    composing = ["hpo", "plan", *words] if sweep else ["hpo", *words, "--cfg", "job"]
                    run(shlex.join(composing), tmp_path, shell=True)


def anchors(page):
    """Those of its headings, as GitHub and the site's builder make them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", each)).strip().lower().replace(" ", "-") for each in headings
    }


LINKING = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "sweeper" / "README.md"]


@pytest.mark.parametrize("page", LINKING, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_every_anchor_of_a_link_is_a_heading(page):
    for target, anchor in re.findall(r"\]\(([^)#:]*?)#([^)\s]*)\)", page.read_text()):
        assert anchor in anchors(page.parent / target if target else page), f"{target}#{anchor}"


@pytest.mark.parametrize("page", LINKING, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_every_link_of_the_page_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), target
