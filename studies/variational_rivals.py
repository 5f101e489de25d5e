"""What the race of `studies.variational` left untuned: code sizes, training lengths, more of PCA.

For `chapters/variational-autoencoder`, with the race's networks, images and distances. The parts:
`code` (variational autoencoders of several code sizes, each with the error of a plain autoencoder of
its size as pixel variance, drawn from their priors), `pca` (mixtures on more principal components than
the race had), `diffusion` (on the autoencoder's codes, trained longer), `limit` (the autoencoder's
reconstructions of the test images, which no other sampler has seen either), `warm` (the race's
variational autoencoders of the largest and the smallest variance, their priors widened) and `holes` (how far
codes of the prior and of validation images lie from the nearest code of a training image, in the
living numbers). Rates are those that the race has tuned.

Run it with `python -m studies.variational_rivals`, or `--quick`.
"""

import time

import numpy as np
from sklearn.decomposition import PCA

from helpers import load_images
from studies import variational
from studies.common import arguments, definition_hash, write_result

DEFINITION = variational.DEFINITION | {
    "race": definition_hash("variational", variational.DEFINITION),
    "rate": 0.02,  # what the race has tuned for the autoencoder and both variational ones
    "diffusion_rate": 0.004,  # what the race has tuned for ten epochs
    "code_sizes": [3, 5, 8, 12, 20],
    "components": [150, 200, 300],
    "diffusion_epochs": [30, 100],
    "temperatures": [0.75, 1, 1.25, 1.5, 1.75, 2],
    "held_out": 1000,
}
QUICK = (
    DEFINITION
    | variational.QUICK
    | {
        "code_sizes": [2],
        "components": [9],
        "diffusion_epochs": [1],
        "temperatures": [1],
        "samples": 100,
        "few": 50,
        "held_out": 50,
        "images": 500,
    }
)


def code(how, sets, seed):
    """Draw from the priors of variational autoencoders of several sizes."""
    x, valid, _ = sets
    for size in how["code_sizes"]:
        options = {"rate": how["rate"], "seed": seed}
        error = variational.train(how, None, x, valid, code=size, **options)[2]
        encoder, decoder, _ = variational.train(how, error, x, valid, code=size, **options)
        rng = np.random.default_rng(seed)
        _, drawn, divergence = variational.posterior(encoder, valid, rng)
        mse = float(np.square(valid - variational.decode(decoder, drawn)).mean())
        facts = {"size": size, "variance": error, "mse_sampled": mse}
        facts["alive"] = int((divergence.mean(axis=0) > 0.05).sum())
        z = rng.normal(size=(how["samples"], size))
        yield facts, variational.decode(decoder, z)


def pca(how, sets, seed):
    """Draw from mixtures on many principal components."""
    x, rng = sets[0], np.random.default_rng(seed)
    for size in how["components"]:
        found = PCA(size, svd_solver="covariance_eigh").fit(x)
        scores = found.transform(x)
        drawn = variational.draw_mixture(scores, how["clusters"], how["samples"], rng)
        yield {"size": size}, found.inverse_transform(drawn)


def plain(how, x, valid, seed):
    """Return encoder and decoder of the race's autoencoder, and its standardised codes."""
    encoder, decoder, _ = variational.train(how, None, x, valid, rate=how["rate"], seed=seed)
    codes = encoder.predict(x, batch_size=1000, verbose=0)
    centre, scale = codes.mean(axis=0), codes.std(axis=0)
    return encoder, decoder, (codes - centre) / scale, centre, scale


def diffusion(how, sets, seed):
    """Draw from diffusion models that were trained longer."""
    _, decoder, codes, centre, scale = plain(how, *sets[:2], seed)
    for epochs in how["diffusion_epochs"]:
        longer = how["diffusion"] | {"epochs": epochs}
        model, _ = variational.train_diffusion(longer, codes, rate=how["diffusion_rate"], seed=seed)
        rng = np.random.default_rng(seed)
        z = variational.walk(model, longer, codes.shape[1], how["samples"], rng)
        yield {"epochs": epochs}, variational.decode(decoder, z * scale + centre)


def limit(how, sets, seed):
    """Reconstruct images that the distance does not compare with."""
    x, valid, test = sets
    encoder, decoder, *_ = plain(how, x, valid, seed)
    yield {}, variational.decode(decoder, encoder.predict(test[: len(valid)], verbose=0))


def warm(how, sets, seed):
    """Draw from priors of other widths."""
    x, valid, _ = sets
    for variance in (max(how["variances"]), min(how["variances"])):
        options = {"rate": how["rate"], "seed": seed}
        _, decoder, _ = variational.train(how, variance, x, valid, **options)
        z = np.random.default_rng(seed).normal(size=(how["samples"], how["code"]))
        for temperature in how["temperatures"]:
            facts = {"variance": variance, "temperature": temperature}
            yield facts, variational.decode(decoder, temperature * z)


def holes(how, x, valid, seed):
    """Return the median distances to the nearest code of a training image, by network."""
    options, found = {"rate": how["rate"], "seed": seed}, []
    for variance in (max(how["variances"]), min(how["variances"])):
        rng = np.random.default_rng(seed)
        encoder, _, _ = variational.train(how, variance, x, valid, **options)
        _, known, divergence = variational.posterior(encoder, x, rng)
        alive = divergence.mean(axis=0) > 0.05
        known = known[:, alive]
        held_out = variational.posterior(encoder, valid[: how["held_out"]], rng)[1][:, alive]
        prior = rng.normal(size=held_out.shape).astype("float32")
        row = {"part": "holes", "variance": variance, "seed": seed, "alive": int(alive.sum())}
        found.append(
            row | {"image": to_nearest(held_out, known), "prior": to_nearest(prior, known)}
        )
    return found


def to_nearest(z, known):
    """Return the median distance from codes to the nearest of the known ones."""
    squares = np.square(known).sum(axis=1) - 2 * z @ known.T
    nearest = squares.min(axis=1) + np.square(z).sum(axis=1)
    return float(np.sqrt(np.median(np.maximum(nearest, 0))))


PARTS = (limit, code, pca, diffusion, warm)


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    x, valid, test = (
        a.reshape(-1, 784)[: definition["images"]]
        for a in (images.x_train, images.x_valid, images.x_test)
    )
    measure = variational.Yardsticks(definition, images, x, valid).measure
    rows = []
    for seed in definition["seeds"]:
        rows += holes(definition, x, valid, seed)
        print(rows[-2:], flush=True)
        for part in PARTS:
            for facts, samples in part(definition, (x, valid, test), seed):
                rows.append({"part": part.__name__, "seed": seed} | facts | measure(samples))
                print(rows[-1], flush=True)
    path = write_result(
        "variational_rivals",
        definition,
        rows,
        time.perf_counter() - start,
        folder=options.out,
        quick=options.quick,
        data=images.name,
    )
    print(path)


if __name__ == "__main__":
    main()
