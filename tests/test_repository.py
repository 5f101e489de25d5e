"""What the repository holds: nothing of one machine, and only files of a kind that belongs here."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pytest
import yaml

from tools import retarget
from tools.normalise import ROOT, repository_url

# Everything is made by hand, or by the book's own commands, in one of these forms.
ENDINGS = re.compile(r"\.(cff|css|html|ipynb|jinja|js|json|md|png|py|svg|toml|txt|yaml|yml)")
NAMES = {".ci/run", ".gitignore", "LICENSE", "Makefile"}
# A place on one machine; /home/me stands for any. What comes before tells it from base64 and URLs.
MACHINE = re.compile(
    r"(?<![\w.:/<>+-])/(?:home/(?!me/)|(?:root|Users|tmp|work|opt|usr/local|mnt|content)/)\w"
    r"|(?i:\b[A-Z]:\\Users\\(?!me\b))"
)
INDEX = re.compile(
    r"(?i)pypi\.org|pythonhosted\.org|https?://\S+/simple\b|(?<!no-emit-)index-url\b"
)
BESIDE = "../" + "shared"
WORK = "/" + "work/"


def tracked():
    """Return the names of the files that Git knows."""
    run = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        pytest.skip("not a git checkout")
    return [name for name in run.stdout.split("\0") if name and (ROOT / name).exists()]


def texts():
    """Return the tracked files that are text, as {name: text}; not this one, which names it all."""
    here = f"tests/{PurePosixPath(__file__).name}"
    return {
        name: (ROOT / name).read_text(encoding="utf-8", errors="replace")
        for name in tracked()
        if name != here and not name.endswith(".png")
    }


def is_expected(name):
    """Return whether a file's name says that it belongs into the repository."""
    path = PurePosixPath(name)
    return name in NAMES or bool(ENDINGS.fullmatch(path.suffix) and ".min" not in path.suffixes)


def test_every_file_is_of_a_kind_that_belongs_here():
    assert [name for name in tracked() if not is_expected(name)] == []


@pytest.mark.parametrize(
    "name", ["a.woff2", "a.min.js", "a.pyc", "a.keras", "x/run", "a.gz", "a.lock", "x/LICENSE", "a"]
)
def test_other_kinds_would_be_found(name):
    assert not is_expected(name)


def machine_places(text):
    """Return what in a text holds on one machine only."""
    found = MACHINE.findall(text)
    return found + [place for place in (str(ROOT),) if len(ROOT.parts) > 2 and place in text]


def test_no_file_names_a_place_of_one_machine():
    found = {name: machine_places(text) for name, text in texts().items()}
    assert {name: places for name, places in found.items() if places} == {}


@pytest.mark.parametrize(
    "text",
    [
        'open("/home/anna/book/data.npz")',
        f"cd {WORK}main/book",
        "PATH=/opt/wheels",
        "see /tmp/a.txt",
        "(/Users/anna/book)",
        r"C:\Users\anna",
        f"made in {ROOT}",
    ],
)
def test_a_place_of_one_machine_would_be_found(text):
    assert machine_places(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/home/anna/",
        "saved to /home/me/model.keras",
        "iVBORw0KGgo+/tmp/9k=",
        "content: '/static/'",
        f".{WORK}notes and ../opt/x",
        r"D:\images",
    ],
)
def test_other_text_is_no_place_of_a_machine(text):
    assert not machine_places(text)


def index_hosts():
    """Return the hosts of the package indexes that pip uses on this machine."""
    run = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    hosts = {urlsplit(url).hostname for url in re.findall(r"https?://[^\s']+", run.stdout)}
    return hosts - {None, "localhost", "127.0.0.1"}


def test_no_file_names_a_package_index():
    hosts = index_hosts()
    found = {
        name: [*INDEX.findall(text), *(host for host in hosts if host in text)]
        for name, text in texts().items()
    }
    assert {name: places for name, places in found.items() if places} == {}


@pytest.mark.parametrize(
    "text",
    [
        "pip install --index-url https://example.org/simple/ keras",
        "--extra-index-url=somewhere",
        "https://files.pythonhosted.org/packages/a.whl",
        "from https://PyPI.org",
        "http://mirror:8080/any/simple",
    ],
)
def test_a_package_index_would_be_found(text):
    assert INDEX.search(text)


def test_only_the_ci_script_knows_what_lies_beside_the_checkout():
    assert {name for name, text in texts().items() if BESIDE in text} <= {".ci/run"}


def test_whatever_names_the_repository_s_address_can_be_retargeted():
    """`make retarget` moves a fork's links; a file that it does not know would stay behind."""
    owner_and_name = repository_url().removeprefix("https://github.com/")
    known = {str(path.relative_to(ROOT)) for path in retarget.files()}
    naming = {name for name, text in texts().items() if owner_and_name in text}
    # The set-up cells are written by `make format`, which retargeting ends with.
    assert {name for name in naming - known if not name.endswith(".ipynb")} == set()


# What serves contributors ------------------------------------------------------------------------


def test_hooks_are_commands_of_the_locked_environment():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert [hook["id"] for hook in hooks] == ["ruff", "ruff-format", "normalise", "zizmor"]
    for hook in hooks:
        command = shlex.split(hook["entry"])
        assert hook["language"] == "system"
        assert command[0].startswith(".venv/bin/")
        # Beside the running Python: the newest versions are tested without a .venv.
        assert Path(sys.executable).with_name(Path(command[0]).name).exists()
    normalise = re.compile(hooks[2]["files"])
    assert normalise.search("chapters/tied-weights.ipynb")
    assert not normalise.search("chapters/intro.md")


def test_the_container_has_the_tests_python_and_a_browser():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    steps = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())["jobs"]["test"][
        "steps"
    ]
    versions = [step["with"]["python-version"] for step in steps if "setup-python" in str(step)]
    assert f"/python:{versions[-1]}-" in container["image"]
    assert "chromium" in container["onCreateCommand"]
    assert "make book" in container["postCreateCommand"]
    assert container["forwardPorts"] == [8000]


def test_the_issue_form_can_be_filled_by_the_report_link():
    """A page's link has the fields of the form as its parameters: title and page."""
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/mistake.yml").read_text())
    fields = {part["id"]: part for part in form["body"]}
    assert len(fields) == len(form["body"])
    assert {"name", "description", "title"} <= form.keys()
    assert fields["page"]["type"] == "input"
    assert {part["type"] for part in form["body"]} <= {"input", "textarea", "dropdown"}


def test_only_security_updates_are_proposed_for_the_lock():
    """Its versions belong to the stored outputs, so `make lock` renews both together."""
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    kinds = {(update["package-ecosystem"], update["directory"]): update for update in updates}
    lock = kinds["pip", "/"]
    assert lock["open-pull-requests-limit"] == 0
    assert "ignore" not in lock
    assert "open-pull-requests-limit" not in kinds["github-actions", "/"]
    assert (ROOT / "requirements.txt").exists()


def test_the_notices_are_where_the_licences_require_them():
    notices = (ROOT / "LICENSES.md").read_text()
    for words in (
        "Copyright © 2017 Zalando SE",
        "The above copyright notice and this permission notice shall be included",
        "The STIX Fonts Project Authors",
        "SIL Open Font License 1.1",
        "CC BY 4.0",
        "BSD 3-Clause",
    ):
        assert words in notices
    assert "LICENSES.md" in (ROOT / "README.md").read_text()


def test_the_changelog_has_the_version_that_colab_installs():
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    assert re.search(rf"^## {re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(), re.M)


def dates(citation, changelog):
    """Return the date of a version in the citation and in its heading of the changelog."""
    heading = re.search(rf"^## {re.escape(str(citation['version']))}\b.*", changelog, re.M)[0]
    written = re.search(r"\d{4}-\d\d-\d\d", heading)
    return str(citation.get("date-released", "")), written[0] if written else ""


def test_the_citation_has_the_version_and_the_date_of_the_changelog():
    """A version that is not yet released has no date in either."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    assert citation["version"] == version
    cited, written = dates(citation, (ROOT / "CHANGELOG.md").read_text())
    assert cited == written


def test_another_date_would_be_found():
    changelog = "## 1.0.0, first, 2026-01-02\n"
    assert dates({"version": "1.0.0", "date-released": "2026-01-02"}, changelog) == (
        "2026-01-02",
        "2026-01-02",
    )
    assert dates({"version": "1.0.0"}, changelog) == ("", "2026-01-02")
