"""Eight draws of each sampler, and two maps, for everybody to look at.

For `chapters/variational-autoencoder`. Which clusters k-means finds, and how a code of two numbers lies
on its plane, depends on the last digit of a training's first steps, so every processor draws others. The
chapter trains networks of its own and looks at these: the plain autoencoder, and the variational ones
of the race's largest and smallest variance, with its rate and its first seed. The maps are those of a
plain and of a variational autoencoder with two numbers and few hidden units; stored are the means of
the first validation images' codes and the decoder's weights.

Run it with `python -m studies.variational_pictures`, or `--quick`.
"""

import time

import numpy as np

from helpers import load_images
from helpers.explorer_parts import pack, significant, to_bytes
from studies import variational
from studies.common import arguments, definition_hash, write_result

DEFINITION = {
    "race": definition_hash("variational", variational.DEFINITION),
    "rate": 0.02,  # what the race has tuned, for the autoencoder and both variational ones
    "drawn": 8,
    "map": {"code": 2, "hidden": 20, "epochs": 6, "shown": 1000},
    "seeds": [0],
    "images": None,
}
QUICK = DEFINITION | {
    "drawn": 2,
    "map": {"code": 2, "hidden": 4, "epochs": 1, "shown": 10},
    "images": 500,
}


def draw(race, definition, images, x, valid, *, seed):
    """Return the first draws of each source of codes, for each network, as text."""
    rng, count, drawn = np.random.default_rng(seed), race["clusters"] * 20, {}
    options = {"rate": definition["rate"], "seed": seed}
    encoder, decoder, loss = variational.train(race, None, x, valid, **options)
    codes = encoder.predict(x, batch_size=1000, verbose=0)
    sources = {
        "N(0, 1)": rng.normal(size=(count, codes.shape[1])),
        "Gaussian": variational.draw_gaussian(codes, count, rng),
        "Gaussian a class": variational.draw_groups(codes, images.y_train[: len(x)], count, rng),
        "mixture": variational.draw_mixture(codes, race["clusters"], count, rng),
        "reconstructions": encoder.predict(valid, verbose=0),
    }
    drawn = {("AE", name): variational.decode(decoder, z) for name, z in sources.items()}
    for name, variance in (("VAE 0.5", 0.5), ("VAE error", loss)):
        encoder, decoder, _ = variational.train(race, variance, x, valid, **options)
        _, codes, _ = variational.posterior(encoder, x, rng)
        prior = rng.normal(size=(count, codes.shape[1]))
        drawn[name, "prior"] = variational.decode(decoder, prior)
        mixed = variational.draw_mixture(codes, race["clusters"], count, rng)
        drawn[name, "mixture"] = variational.decode(decoder, mixed)
    return {
        f"{network}, {source}": pack(to_bytes(made[: definition["drawn"]]), "u1")
        for (network, source), made in drawn.items()
    }


def map_of(race, definition, variance, x, valid, *, seed):
    """Return a network's map as text: codes and weights; and its validation loss."""
    how = definition["map"]
    race = race | {"hidden": how["hidden"], "code": how["code"]}
    options = {"rate": definition["rate"], "seed": seed, "epochs": how["epochs"]}
    encoder, decoder, loss = variational.train(race, variance, x, valid, **options)
    codes = encoder.predict(valid[: how["shown"]], verbose=0)[:, : how["code"]]
    found = {
        "codes": pack(codes, "<f4"),
        "weights": [pack(w, "<f4") for w in decoder.get_weights()],
    }
    return found | {"loss": significant(loss, 5)}, loss


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    race = variational.QUICK if options.quick else variational.DEFINITION
    start = time.perf_counter()
    images = load_images()
    x = images.x_train[: definition["images"]].reshape(-1, 784)
    valid = images.x_valid.reshape(-1, 784)
    (seed,) = definition["seeds"]
    pictures = draw(race, definition, images, x, valid, seed=seed)
    maps, rows = {}, []
    maps["plain"], loss = map_of(race, definition, None, x, valid, seed=seed)
    maps["variational"], _ = map_of(race, definition, loss, x, valid, seed=seed)
    for name, found in maps.items():
        rows.append({"seed": seed, "map": name, "loss": found.pop("loss")})
        print(rows[-1], flush=True)
    path = write_result(
        "variational_pictures",
        definition,
        rows,
        time.perf_counter() - start,
        folder=options.out,
        quick=options.quick,
        data=images.name,
        pictures=pictures,
        maps=maps,
    )
    print(path)


if __name__ == "__main__":
    main()
