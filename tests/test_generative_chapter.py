"""Generative models: each of the three models is short enough to be read in one go."""

import ast

import nbformat
import pytest

from studies.generative import CHAPTER

MODELS = {
    "autoencoder": ("def network(", "encoder, decoder ="),
    "GAN": ("class GAN(",),
    "DDPM": ("class DDPM(", "def denoise("),
}
LONGEST = 40  # lines of code in the notebook


def sources():
    cells = nbformat.read(CHAPTER, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code"]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_short(name):
    cells = [source for source in sources() if any(start in source for start in MODELS[name])]
    assert len(cells) == len(MODELS[name])
    assert sum(len(source.splitlines()) for source in cells) <= LONGEST


def test_no_helper_hides_a_lesson():
    imported = {
        alias.name
        for source in sources()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "helpers"
        for alias in node.names
    }
    plumbing = {"claim", "read_result", "set_up", "show_table", "training_flops"}
    assert {name for name in imported if not name.isupper()} == plumbing
