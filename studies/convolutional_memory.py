"""Two opponents of `convolutional_tuned` with more to choose from.

For `chapters/convolutional-autoencoder`. There, the β₂ of Adam on the convolutional network, and that
of the AdamW inside Keras' Muon, ended at the least that was tried, and Keras' Muon had no warm-up.
Here both go on from there, with smaller memories, and Keras' Muon with a warm-up as well.

Run it with `python -m studies.convolutional_memory`, or `--quick`.
"""

from studies import convolutional_tuned
from studies.common import STUDIES, code_hash, code_reached
from studies.convolutional import convolutional, run

BORROWED = {"climbed"}  # from the study `convolutional_tuned`, with the networks of `convolutional`
KEPT = ("channels", "batch", "few", "first_rate", "tuning_seeds", "tuning_seed", "seeds", "images")
MEMORIES = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95]


def wider(kind, **start):
    """Return an arm's grid with a warm-up and the smaller β₂, and where its climb starts."""
    warmup = convolutional_tuned.DEFINITION["adam"]["grid"]["warmup"]
    grid = convolutional_tuned.DEFINITION[kind]["grid"] | {"warmup": warmup, "beta_2": MEMORIES}
    return {"grid": grid, "start": start}


DEFINITION = {key: convolutional_tuned.DEFINITION[key] for key in KEPT} | {
    "adam": wider("adam", rate=0.016, warmup=60, beta_2=0.9),
    "keras": wider("keras", rate=0.064, ratio=0.0625, warmup=0, beta_2=0.9),
    "borrowed": code_hash(
        {},
        *code_reached(BORROWED, [STUDIES / "convolutional_tuned.py", STUDIES / "convolutional.py"]),
    ),
}
QUICK = DEFINITION | {key: convolutional_tuned.QUICK[key] for key in (*KEPT, "adam", "keras")}


def opponents(race):
    """Adam, and Keras' Muon with two rates."""
    build = lambda: convolutional(30, race.how["channels"])  # noqa: E731
    for part, arm, kind in (
        ("adam", "convolutional", "adam"),
        ("muon", "Keras' Muon, two rates", "keras"),
    ):
        yield from convolutional_tuned.climbed(race, part, arm, build, kind)


def main(argv=None):
    """Run the study and write its result."""
    run("convolutional_memory", __doc__, (DEFINITION, QUICK), (opponents,), argv)


if __name__ == "__main__":
    main()
