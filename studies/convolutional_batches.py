"""Dense rivals with larger batches: what the races of `convolutional` might owe to batches of 64.

For `chapters/convolutional-autoencoder`, with the networks and the images of the study
`convolutional`. A step of Muon costs the same whatever the batch, so with batches of 256 a dense
network has time for more passes. Every code has dense networks with 200 and 128 units in batches of 256
and, but for thirty numbers, where `convolutional` has them, with 200 and 50 in batches of 64 (`codes`).
With a thousand images those in batches of 256 see them with noise (`little`). Each has a rate of its own,
tuned on the images that it is trained on as in `convolutional`; the convolutional network has the
rate that the other studies found for it. With every seed all networks are trained in turns, so that
their processor's seconds (`cpu`) can be compared.

Run it with `python -m studies.convolutional_batches`, or `--quick`.
"""

import functools

import keras
from keras import layers

from helpers import multiply_adds
from studies.common import STUDIES, code_hash, code_reached
from studies.convolutional import convolutional, dense, draw, mse, run, train, tune

BORROWED = {"convolutional", "dense", "draw", "mse", "run", "train", "tune"}

DEFINITION = {
    "channels": [16, 32, 64],
    "batch": 64,
    "few": 20_000,
    "convolutional": {"2": 0.04, "10": 0.02, "30": 0.02, "100": 0.02},  # code: rate
    "wider": [[200, 256, 5], [128, 256, 9]],  # units, batch, passes
    "others": [[200, 64, 1], [50, 64, 1]],  # which have run with thirty numbers
    "other_codes": [2, 10, 100],
    "little": {"images": 1000, "passes": 20, "noise": 0.2, "rate": 0.02},
    "first_rate": 0.01,
    "most_rates": 7,
    "tuning_seed": 9,
    "seeds": [0, 1, 2],
    "images": None,
    "borrowed": code_hash({}, *code_reached(BORROWED, [STUDIES / "convolutional.py"])),
}
QUICK = DEFINITION | {
    "channels": [2, 3, 4],
    "few": 96,
    "convolutional": {"2": 0.04},
    "wider": [[5, 32, 2]],
    "others": [[3, 32, 1]],
    "other_codes": [2],
    "little": {"images": 96, "passes": 1, "noise": 0.2, "rate": 0.02},
    "most_rates": 3,
    "seeds": [0],
    "images": 160,
}


def networks(how, code):
    """Return the builders of a code's networks, by name, batch and passes."""
    found = {
        ("convolutional", how["batch"], 1): functools.partial(convolutional, code, how["channels"])
    }
    dense_ones = how["wider"] + (how["others"] if code in how["other_codes"] else [])
    for width, batch, passes in dense_ones:
        found[f"dense, {width}", batch, passes] = functools.partial(dense, code, width)
    return found


def noisy(build, noise):
    """Return a network that is trained with noise on what it sees."""
    return keras.Sequential(
        [keras.Input((28, 28, 1)), layers.GaussianNoise(noise), *build().layers]
    )


def in_turns(race, x, field):
    """Tune every dense network of a field on some images, then train all with every seed in turns.

    Args:
        race: the `Race`.
        x: the images.
        field: list of (builder, facts), with the batch, the passes and, if it is not to be tuned, the
            rate among the facts.

    Yields:
        The rows.
    """

    def once(build, facts, rate, seed):
        how = race.how | {"batch": facts["batch"]}
        return train(build, x, how, rate=rate, seed=seed, passes=facts["passes"])

    def tuned(build, facts):
        def measure(rate):
            model, _ = once(build, facts, rate, race.how["tuning_seed"])
            return mse(race.tuning, draw(model, race.tuning))

        found = tune(measure, race.how["first_rate"], race.how["most_rates"])
        return dict(zip(("rate", "inside", "tried"), found, strict=True))

    field = [
        (build, facts if "rate" in facts else facts | tuned(build, facts)) for build, facts in field
    ]
    for seed in race.seeds:
        for build, facts in field:
            model, cpu = once(build, facts, facts["rate"], seed)
            row = facts | {"seed": seed, "images": len(x), "parameters": model.count_params()}
            row |= {"multiply_adds": multiply_adds(model), "cpu": round(cpu, 2)}
            yield row | {"mse": mse(race.valid, draw(model, race.valid))}


def codes(race):
    """Every size of the code."""
    for text, rate in race.how["convolutional"].items():
        field = []
        for (arm, batch, passes), build in networks(race.how, int(text)).items():
            facts = {"part": "codes", "arm": arm, "code": int(text)}
            facts |= {"batch": batch, "passes": passes}
            field.append((build, facts | ({"rate": rate} if arm == "convolutional" else {})))
        yield from in_turns(race, race.few, field)


def little(race):
    """Few images, with noise on what the dense networks see."""
    how, code = race.how, 30
    images, times, noise = (how["little"][key] for key in ("images", "passes", "noise"))
    field = []
    for (arm, batch, passes), build in networks(how, code).items():
        facts = {"part": "little", "arm": arm, "code": code, "batch": batch}
        facts |= {"passes": passes * times}
        if arm == "convolutional":
            field.append((build, facts | {"rate": how["little"]["rate"]}))
        else:
            field.append((functools.partial(noisy, build, noise), facts | {"noise": noise}))
    yield from in_turns(race, race.x[:images], field)


def main(argv=None):
    """Run the study and write its result."""
    run("convolutional_batches", __doc__, (DEFINITION, QUICK), (little, codes), argv)


if __name__ == "__main__":
    main()
