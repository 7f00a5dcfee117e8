"""The four tasks are the paper's, and each recipe is a whole configuration."""

import dataclasses

import pytest

from ramnp.learning.config import Config
from ramnp.learning.recipes import PAPER_ERRORS, RECIPES, TASKS, make_config
from ramnp.support.errors import UserError

SCENE = ("canvas_size", "num_clutter", "clutter_size")
RETINA = ("patch_size", "num_scales", "scale_factor", "num_glimpses")
PAPER = {
    "centered": ((0, 0, 8), (8, 1, 2, 6)),
    "translated": ((60, 0, 8), (12, 3, 2, 8)),
    "cluttered": ((60, 4, 8), (12, 3, 2, 8)),
    "cluttered-100": ((100, 8, 8), (12, 4, 2, 8)),
}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("task", PAPER)
def test_scene_and_retina_are_the_papers(task, recipe):
    """Whatever the recipe, the task itself stays that of the paper, whose table has an
    agent of seven glimpses at centered digits too.
    """
    config = make_config(task, recipe)
    assert (config.task, config.recipe) == (task, recipe)
    scene, retina = PAPER[task]
    if (task, recipe) == ("centered", "best"):
        retina = (*retina[:-1], 7)
    assert tuple(getattr(config, name) for name in SCENE) == scene
    assert tuple(getattr(config, name) for name in RETINA) == retina


@pytest.mark.parametrize("task", PAPER)
def test_the_papers_recipe_adds_only_what_the_paper_does_not_give(task):
    """The defaults are the paper's agent; it gives neither epochs nor weights, nor does
    it matter to it in how many parts a batch is computed.
    """
    config = make_config(task, "paper")
    not_given = {"epochs", "policy_weight", "baseline_weight", "num_shards"}
    of_the_task = {"task", "recipe", *not_given, *TASKS[task]}
    for field in dataclasses.fields(Config):
        if field.name not in of_the_task:
            assert getattr(config, field.name) == field.default, field.name


def test_names_and_figures_are_complete():
    """The names that a configuration allows are those that are known here."""
    fields = {field.name: field for field in dataclasses.fields(Config)}
    assert fields["task"].metadata["choices"] == tuple(TASKS) == tuple(PAPER_ERRORS)
    assert set(fields["recipe"].metadata["choices"]) == set(RECIPES)
    assert all(recipe.keys() == TASKS.keys() for recipe in RECIPES.values())


def test_changes_win_over_recipe_and_task():
    """What the user says goes, within the bounds."""
    config = make_config("cluttered", "quick", epochs=3, num_clutter=2, h_size=64)
    assert (config.epochs, config.num_clutter, config.h_size) == (3, 2, 64)
    with pytest.raises(UserError, match="^--num-clutter -1"):
        make_config("cluttered", num_clutter=-1)


@pytest.mark.parametrize("option", ["task", "recipe"])
def test_unknown_names_are_one_line(option):
    """It names the option and what there is to choose from."""
    with pytest.raises(
        UserError, match=f"^--{option} nonsense: choose one of"
    ) as error:
        make_config(**{option: "nonsense"})
    (line,) = str(error.value).splitlines()
    known = TASKS if option == "task" else RECIPES
    assert all(name in line for name in known)
