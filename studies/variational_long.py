"""What the race of `studies.variational` leaves open: linear networks, long training, small codes.

For `chapters/variational-autoencoder`. First part: linear variational autoencoders of several pixel
variances beside the closed form, probabilistic PCA: code numbers that are alive, and the bound.
Second part: the race's variational autoencoders of two variances and its autoencoder, trained
four times longer, at the rates tuned for the race's epochs. Third part: a mixture on codes of
several sizes, of PCA and of the autoencoder. Fourth part: whether dead code numbers come back, in a
network whose pixel variance starts large and follows its error, beside one that starts afresh.
Fifth part: how full the map of two code numbers is, plain and variational.

Run it with `python -m studies.variational_long`, or `--quick`.
"""

import time

import keras
import numpy as np
from keras import layers
from sklearn.decomposition import PCA

from helpers import fit, load_images
from helpers.layers import Sample
from studies import variational
from studies.common import arguments, definition_hash, write_result

DEFINITION = variational.DEFINITION | {
    # Most of the code is there: a change of it changes this study, too.
    "race": definition_hash("variational", variational.DEFINITION),
    "rate": 0.02,  # what the race has tuned, for the autoencoder and both variational ones
    "linear": {
        "variances": [1.0, 0.5, 0.25, 0.1],
        "code": 60,
        # At the rate of the race the weakest number had not settled after fifteen epochs.
        "epochs": 8,
        "batch": 128,
        "rate": 0.005,
    },
    "long": {"variances": [0.5, 0.013], "epochs": 12},
    "sizes": [5, 10, 20],
    "revival": {"first": 0.5, "rounds": 4, "epochs": 3},
    "maps": {"epochs": 8, "batch": 128},
}
QUICK = (
    DEFINITION
    | variational.QUICK
    | {
        "linear": DEFINITION["linear"] | {"variances": [1.0], "code": 8, "epochs": 1},
        "long": {"variances": [0.5], "epochs": 2},
        "sizes": [5],
        "revival": DEFINITION["revival"] | {"rounds": 2, "epochs": 1},
        "maps": DEFINITION["maps"] | {"epochs": 1},
    }
)


def linear(definition, x, valid):
    """Train linear variational autoencoders; yield a row for each variance and seed."""
    how = definition["linear"]
    mean = x.mean(axis=0)
    eigenvalues = np.linalg.eigvalsh(np.cov((x - mean).T, bias=True))[::-1].astype("float64")
    for variance in how["variances"]:
        kept = min(int((eigenvalues > variance).sum()), how["code"])
        for seed in definition["seeds"]:
            keras.utils.clear_session()
            keras.utils.set_random_seed(seed)
            encoder = keras.Sequential([keras.Input((784,)), layers.Dense(2 * how["code"])])
            decoder = keras.Sequential([keras.Input((how["code"],)), layers.Dense(784)])
            model = keras.Sequential([encoder, Sample(variance, seed=0), decoder])
            options = {"epochs": how["epochs"], "batch_size": how["batch"]}
            fit(model, x - mean, learning_rate=how["rate"], verbose=False, **options)
            rng = np.random.default_rng(seed)
            _, drawn, divergence = variational.posterior(encoder, x - mean, rng)
            error = (x - mean) - variational.decode(decoder, drawn)
            mse = float(np.square(error).mean())
            yield {
                "part": "linear",
                "variance": variance,
                "seed": seed,
                "above": kept,
                # Of those, the ones that say enough to be counted as alive.
                "heard": int((np.log(eigenvalues[:kept] / variance) / 2 > 0.05).sum()),
                "alive": int((divergence.mean(axis=0) > 0.05).sum()),
                "elbo": float(variational.elbo(variance, mse, divergence)),
                "evidence": evidence(eigenvalues, variance, kept),
            }


def evidence(eigenvalues, variance, kept):
    """Return the mean log-likelihood of probabilistic PCA, in nats per image (Tipping & Bishop)."""
    over, rest = eigenvalues[:kept], eigenvalues[kept:]
    parts = len(eigenvalues) * np.log(2 * np.pi) + np.log(over).sum() + kept
    return float(-(parts + len(rest) * np.log(variance) + rest.sum() / variance) / 2)


def long(definition, x, valid, measure):
    """Train the race's networks for long; yield a row for each sampler."""
    how = definition["long"]
    for seed in definition["seeds"]:
        rng = np.random.default_rng(seed)
        for variance in how["variances"]:
            options = {"rate": definition["rate"], "epochs": how["epochs"]}
            facts, found = variational.of_vae(
                definition, variance, x, valid, seed=seed, rng=rng, **options
            )
            for name, samples in found.items():
                row = {"part": "long", "sampler": f"VAE {variance}, {name}", "seed": seed}
                yield row | facts | measure(samples)
        encoder, decoder, _ = variational.train(
            definition, None, x, valid, rate=definition["rate"], seed=seed, epochs=how["epochs"]
        )
        codes = encoder.predict(x, batch_size=1000, verbose=0)
        drawn = variational.draw_mixture(codes, definition["clusters"], definition["samples"], rng)
        row = {"part": "long", "sampler": "AE, mixture", "seed": seed}
        yield row | measure(variational.decode(decoder, drawn))


def by_size(definition, x, valid, measure):
    """Draw from mixtures on codes of several sizes; yield a row for each."""
    count, clusters = definition["samples"], definition["clusters"]
    for seed in definition["seeds"]:
        rng = np.random.default_rng(seed)
        for size in definition["sizes"]:
            pca = PCA(size, svd_solver="covariance_eigh").fit(x)
            drawn = variational.draw_mixture(pca.transform(x), clusters, count, rng)
            row = {"part": "size", "size": size, "seed": seed}
            yield row | {"model": "PCA"} | measure(pca.inverse_transform(drawn))
            encoder, decoder, _ = variational.train(
                definition, None, x, valid, rate=definition["rate"], seed=seed, code=size
            )
            codes = encoder.predict(x, batch_size=1000, verbose=0)
            drawn = variational.draw_mixture(codes, clusters, count, rng)
            yield row | {"model": "AE"} | measure(variational.decode(decoder, drawn))


def revival(definition, x, valid):
    """Let the variance follow the error, then start afresh with the last one; yield rows."""
    how = definition["revival"]
    options = {"batch_size": definition["batch"], "learning_rate": definition["rate"]}

    def look(encoder, decoder, variance, seed):
        """Return what a network says, and its bound."""
        rng = np.random.default_rng(seed)
        _, drawn, divergence = variational.posterior(encoder, valid, rng)
        mse = float(np.square(valid - variational.decode(decoder, drawn)).mean())
        facts = {"part": "revival", "seed": seed, "variance": variance, "mse_sampled": mse}
        facts |= {"alive": int((divergence.mean(axis=0) > 0.05).sum())}
        return facts | {"elbo": float(variational.elbo(variance, mse, divergence))}

    for seed in definition["seeds"]:
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
        variance = how["first"]
        encoder, decoder, _ = variational.network(
            definition["code"], definition["hidden"], variance
        )
        for number in range(how["rounds"]):
            model = keras.Sequential([encoder, Sample(variance, seed=number), decoder])
            fit(model, x, epochs=how["epochs"], verbose=False, **options)
            row = look(encoder, decoder, variance, seed) | {"start": "follow", "round": number + 1}
            yield row
            last, variance = variance, row["mse_sampled"]
        encoder, decoder, _ = variational.train(
            definition,
            last,
            x,
            valid,
            rate=definition["rate"],
            seed=seed,
            epochs=how["rounds"] * how["epochs"],
        )
        yield look(encoder, decoder, last, seed) | {"start": "fresh", "round": how["rounds"]}


def maps(definition, x, valid):
    """Train networks with two code numbers, plain and variational; yield how full their maps are."""
    settings = definition | {"code": 2} | definition["maps"]
    for seed in definition["seeds"]:
        encoder, _, mse = variational.train(
            settings, None, x, valid, rate=definition["rate"], seed=seed
        )
        codes = encoder.predict(valid, batch_size=1000, verbose=0)
        yield {"part": "maps", "seed": seed, "model": "AE", "mse": mse, "filled": filled(codes)}
        encoder, decoder, _ = variational.train(
            settings, mse, x, valid, rate=definition["rate"], seed=seed
        )
        means = variational.posterior(encoder, valid, np.random.default_rng(seed))[0]
        found = float(np.square(valid - variational.decode(decoder, means)).mean())
        row = {"part": "maps", "seed": seed, "model": "VAE", "mse": found}
        yield row | {"filled": filled(means)}


def filled(points, cells=20):
    """Return the share of cells of a map, from the 1st to the 99th percentile, that hold a code."""
    low, high = np.percentile(points, (1, 99), axis=0)
    place = np.floor((points - low) / (high - low) * cells)
    inside = place[((place >= 0) & (place < cells)).all(axis=1)]
    return len(np.unique(inside, axis=0)) / cells**2


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    x, valid = (
        a.reshape(-1, 784)[: definition["images"]] for a in (images.x_train, images.x_valid)
    )
    measure = variational.Yardsticks(definition, images, x, valid).measure
    rows = []
    for part in (
        revival(definition, x, valid),
        by_size(definition, x, valid, measure),
        long(definition, x, valid, measure),
        linear(definition, x, valid),
        maps(definition, x, valid),
    ):
        for row in part:
            rows.append(row)
            print(row, flush=True)
    path = write_result(
        "variational_long",
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
