"""The repository's address has one place; everything that repeats it agrees with it."""

import shutil
import tomllib

import pytest
import yaml

from tools import retarget
from tools.normalise import ROOT, repository_url

URL = repository_url()


def copy_book(folder):
    """Copy what the command reads and rewrites."""
    for path in retarget.files():
        (folder / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / path.relative_to(ROOT))
    return folder


def test_every_file_names_the_repository_of_the_settings(tmp_path):
    """Move a copy of the book away and back: nothing may stay behind, and nothing may change."""
    before = {path.name: path.read_text() for path in retarget.files()}
    copy_book(tmp_path)
    assert "_config.yml" in retarget.retarget("https://github.com/Some-One/else.where", tmp_path)
    owner, name = URL.removeprefix("https://github.com/").split("/")
    for path in retarget.files(tmp_path):
        assert f"{owner}/{name}" not in path.read_text(), path.name
        assert f"{owner}.github.io" not in path.read_text(), path.name
    assert repository_url(tmp_path) == "https://github.com/Some-One/else.where"
    assert "https://some-one.github.io/else.where/" in (tmp_path / "README.md").read_text()
    retarget.retarget(URL, tmp_path)
    assert {path.name: path.read_text() for path in retarget.files(tmp_path)} == before


def test_the_readme_leads_to_this_repository_in_colab_and_to_the_list_of_chapters():
    readme = (ROOT / "README.md").read_text()
    owner, name = URL.removeprefix("https://github.com/").split("/")
    for address in (
        f"(https://colab.research.google.com/github/{owner}/{name}/blob/main)",
        f"(https://{owner.lower()}.github.io/{name}/chapters/intro.html#the-chapters)",
    ):
        assert address in readme, f"README.md lacks {address}; or run 'make retarget URL={URL}'"


@pytest.mark.parametrize(
    "url", ["", "book", "http://github.com/a/b", "https://github.com/a", "https://gitlab.com/a/b"]
)
def test_another_form_of_address_is_refused(tmp_path, url):
    with pytest.raises(ValueError, match="such as https://github"):
        retarget.retarget(url, copy_book(tmp_path))


def test_a_longer_name_is_left_alone(tmp_path):
    (tmp_path / "_config.yml").write_text(f"repository:\n  url: {URL}\n")
    (tmp_path / "README.md").write_text(f"{URL}let {URL}-2 {URL}/issues {URL}.")
    retarget.retarget("https://github.com/a/b/", tmp_path)
    new = "https://github.com/a/b"
    assert (tmp_path / "README.md").read_text() == f"{URL}let {URL}-2 {new}/issues {new}."


def test_the_citation_has_the_package_s_version_and_title():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert str(citation["version"]) == project["version"]
    assert citation["title"] == config["title"]
    assert citation["license"] == project["license"]
