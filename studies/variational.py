"""Does one need a variational autoencoder to generate images?

For `chapters/variational-autoencoder`: a race of samplers. Gaussians in pixels and on PCA's scores;
an autoencoder whose codes come from N(0, 1), from one Gaussian, from a Gaussian a class, from a
mixture of Gaussians, from a diffusion model; variational autoencoders of several pixel variances,
whose codes come from their prior or from the same mixture. All networks are 784-100-30 and back
and have the same epochs; the starting rates of the autoencoder, of the diffusion model and of the
variational autoencoders of the largest and the smallest variance are tuned by doubling and halving
on the validation images, with a seed that the results do not use (those between take the rate of
the nearer end). 5,000 samples of each are compared with the validation images.

Run it with `python -m studies.variational`, or `--quick`.
"""

import time

import keras
import numpy as np
from keras import layers
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from helpers import fit, load_images
from helpers.layers import Sample
from helpers.yardstick import classifier_features, energy_distance, frechet_distance
from studies.common import arguments, write_result

DEFINITION = {
    "code": 30,
    "hidden": 100,
    "epochs": 3,
    "batch": 512,
    "variances": [0.5, 0.2, 0.1, 0.05, 0.013],
    "clusters": 100,
    "pca": [30, 100],
    "diffusion": {"levels": 100, "width": 256, "epochs": 10, "batch": 512, "first_rate": 0.004},
    "first_rate": 0.02,
    "most_rates": 7,
    "samples": 5000,
    "few": 1000,
    "tuning_seed": 100,
    "seeds": [0, 1, 2],
    "images": None,
}
QUICK = DEFINITION | {
    "code": 8,
    "hidden": 16,
    "epochs": 1,
    "variances": [0.5, 0.013],
    "clusters": 5,
    "pca": [8],
    "diffusion": DEFINITION["diffusion"] | {"levels": 5, "width": 16, "epochs": 1},
    "most_rates": 3,
    "samples": 500,
    "few": 100,
    "seeds": [0],
    "images": 2000,
}


def network(code, hidden, variance=None):
    """Return encoder, decoder and the whole; with a variance it is a variational autoencoder."""
    outputs = code if variance is None else 2 * code
    encoder = keras.Sequential(
        [keras.Input((784,)), layers.Dense(hidden, "gelu"), layers.Dense(outputs)]
    )
    decoder = keras.Sequential(
        [keras.Input((code,)), layers.Dense(hidden, "gelu"), layers.Dense(784)]
    )
    middle = [] if variance is None else [Sample(variance, seed=0)]
    return encoder, decoder, keras.Sequential([encoder, *middle, decoder])


def train(definition, variance, x, valid, *, rate, seed, epochs=None, code=None):
    """Train with the book's recipe; return encoder, decoder and the validation loss."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    size = code or definition["code"]
    encoder, decoder, model = network(size, definition["hidden"], variance)
    options = {"epochs": epochs or definition["epochs"], "batch_size": definition["batch"]}
    options |= {"learning_rate": rate, "verbose": False}
    history = fit(model, x, validation_data=valid, **options).history
    return encoder, decoder, history["val_loss"][-1]


def tune(loss_at, first, most):
    """Halve and double the rate until both neighbours of the best are worse."""
    tried, best = {}, first
    while len(tried) < most:
        for rate in (best / 2, best, best * 2):
            if rate not in tried:
                tried[rate] = loss_at(rate)
        if best == min(tried, key=tried.get):
            break
        best = min(tried, key=tried.get)
    return best, min(tried) < best < max(tried), {f"{r:g}": v for r, v in sorted(tried.items())}


def posterior(encoder, x, rng):
    """Return means, drawn codes, and the divergence of every code number in nats, by image."""
    mean, log_variance = np.split(encoder.predict(x, batch_size=1000, verbose=0), 2, axis=1)
    drawn = mean + np.exp(log_variance / 2) * rng.normal(size=mean.shape)
    divergence = (mean**2 + np.exp(log_variance) - 1 - log_variance) / 2
    return mean, drawn.astype("float32"), divergence


def elbo(variance, mse, divergence):
    """Return the evidence lower bound in nats per image."""
    return -392 * (np.log(2 * np.pi * variance) + mse / variance) - divergence.sum(axis=1).mean()


def draw_gaussian(codes, count, rng):
    """Draw codes from the normal distribution with the mean and covariance of `codes`."""
    return rng.multivariate_normal(codes.mean(axis=0), np.cov(codes.T), count, method="eigh")


def draw_groups(codes, groups, count, rng):
    """Draw codes from one Gaussian for each group, as often as the group is large."""
    sizes = np.bincount(groups)
    counts = rng.multinomial(count, sizes / sizes.sum())
    drawn = [
        # A group of few codes has a singular covariance, which this method allows.
        draw_gaussian(codes[groups == group], n, rng)
        for group, n in enumerate(counts)
        if n and sizes[group] > 1
    ]
    return rng.permutation(np.concatenate(drawn))  # any part of them is a sample, too


def draw_mixture(codes, clusters, count, rng):
    """Draw codes from a mixture: a Gaussian for every cluster that k-means finds."""
    state = int(rng.integers(2**31))
    groups = KMeans(clusters, n_init=1, max_iter=30, random_state=state).fit_predict(codes)
    return draw_groups(codes, groups, count, rng)


def levels(count):
    """Return the share of the code's variance that is left at each level of the diffusion."""
    return np.cos(np.linspace(0, 0.97, count + 1)[1:] * np.pi / 2) ** 2


def train_diffusion(how, codes, *, rate, seed):
    """Train a network to name the noise in standardised codes; return it and its loss."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    left, size = levels(how["levels"]), codes.shape[1]
    model = keras.Sequential(
        [
            keras.Input((size + 8,)),
            *[layers.Dense(how["width"], "gelu") for _ in range(3)],
            layers.Dense(size),
        ]
    )
    steps = -(-len(codes) // how["batch"]) * how["epochs"]
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(loss="mse", optimizer=keras.optimizers.Adam(schedule))
    for _ in range(how["epochs"]):
        level = rng.integers(how["levels"], size=len(codes))
        noise = rng.normal(size=codes.shape).astype("float32")
        kept = left[level][:, None]
        noised = np.sqrt(kept) * codes + np.sqrt(1 - kept) * noise
        inputs = np.concatenate([noised, clock(level / how["levels"])], axis=1).astype("float32")
        history = fit(model, inputs, noise, epochs=1, batch_size=how["batch"], verbose=False)
    return model, history.history["loss"][-1]


def clock(time_left):
    """Return eight smooth features of the level."""
    angles = np.asarray(time_left)[:, None] * np.pi * 2.0 ** np.arange(4)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def walk(model, how, size, count, rng):
    """Walk from noise to codes, one level at a time, with fresh noise."""
    left = np.append(1.0, levels(how["levels"]))
    z = rng.normal(size=(count, size))
    for level in range(how["levels"], 0, -1):
        features = clock(np.full(count, (level - 1) / how["levels"]))
        inputs = np.concatenate([z, features], axis=1).astype("float32")
        noise = np.asarray(model.predict_on_batch(inputs))
        share = left[level] / left[level - 1]
        z = (z - (1 - share) / np.sqrt(1 - left[level]) * noise) / np.sqrt(share)
        if level > 1:
            fresh = (1 - share) * (1 - left[level - 1]) / (1 - left[level])
            z = z + np.sqrt(fresh) * rng.normal(size=z.shape)
    return z


class Yardsticks:
    """All distances of a set of images to the validation images."""

    def __init__(self, definition, images, x, valid):
        self.valid, self.few = valid, definition["few"]
        self.near = x[:20000].astype("float32")
        self.lengths = np.square(self.near).sum(axis=1)
        y = images.y_train[: len(x)]
        self.features = {
            "fd": classifier_features(x, y),
            "fd_convolutional": classifier_features(x, y, convolutional=True),
        }
        self.real = {name: self.look(model, valid) for name, model in self.features.items()}

    @staticmethod
    def look(model, x):
        """Return the features of images."""
        return model.predict(x, batch_size=1000, verbose=0)

    def measure(self, x):
        """Clip images to the values a pixel can have, and measure them."""
        x = np.clip(np.asarray(x, "float32"), 0, 1)
        found = {
            name: frechet_distance(self.look(model, x), self.real[name])
            for name, model in self.features.items()
        }
        found["energy"] = energy_distance(x[: 2 * self.few], self.valid[: 2 * self.few])
        part = x[: self.few]
        squares = (self.lengths - 2 * part @ self.near.T).min(axis=1) + np.square(part).sum(axis=1)
        return found | {"nearest": float(squares.mean() / 784)}


def decode(decoder, codes):
    """Return the images of codes."""
    return decoder.predict(np.asarray(codes, "float32"), batch_size=1000, verbose=0)


def without_networks(definition, x, rng):
    """Yield the samplers that train nothing."""
    count = definition["samples"]
    yield "pixels, Gaussian", draw_gaussian(x, count, rng)
    for size in definition["pca"]:
        pca = PCA(size, svd_solver="covariance_eigh").fit(x)
        scores = pca.transform(x)
        if size == definition["pca"][0]:
            gaussian = draw_gaussian(scores, count, rng)
            yield f"PCA {size}, Gaussian", pca.inverse_transform(gaussian)
        mixture = draw_mixture(scores, definition["clusters"], count, rng)
        yield f"PCA {size}, mixture", pca.inverse_transform(mixture)


def of_autoencoder(definition, rates, x, y, valid, *, seed, rng):
    """Yield the samplers of a plain autoencoder."""
    count, clusters = definition["samples"], definition["clusters"]
    encoder, decoder, _ = train(definition, None, x, valid, rate=rates["AE"], seed=seed)
    codes = encoder.predict(x, batch_size=1000, verbose=0)
    yield "AE, reconstructions", decode(decoder, encoder.predict(valid, verbose=0))
    yield "AE, N(0, 1)", decode(decoder, rng.normal(size=(count, codes.shape[1])))
    yield "AE, Gaussian", decode(decoder, draw_gaussian(codes, count, rng))
    yield "AE, Gaussian a class", decode(decoder, draw_groups(codes, y, count, rng))
    yield "AE, mixture", decode(decoder, draw_mixture(codes, clusters, count, rng))
    how, centre, scale = definition["diffusion"], codes.mean(axis=0), codes.std(axis=0)
    diffusion, _ = train_diffusion(
        how, (codes - centre) / scale, rate=rates["diffusion"], seed=seed
    )
    z = walk(diffusion, how, codes.shape[1], count, rng)
    yield "AE, diffusion", decode(decoder, z * scale + centre)


def of_vae(definition, variance, x, valid, *, rate, seed, rng, epochs=None):
    """Train a variational autoencoder; return its bound and its two sets of samples."""
    count = definition["samples"]
    encoder, decoder, _ = train(definition, variance, x, valid, rate=rate, seed=seed, epochs=epochs)
    mean, drawn, divergence = posterior(encoder, valid, rng)
    mse = float(np.square(valid - decode(decoder, drawn)).mean())
    facts = {
        "variance": variance,
        "elbo": float(elbo(variance, mse, divergence)),
        "alive": int((divergence.mean(axis=0) > 0.05).sum()),
        "mse_sampled": mse,
        "mse": float(np.square(valid - decode(decoder, mean)).mean()),
    }
    codes = posterior(encoder, x, rng)[1]
    prior = decode(decoder, rng.normal(size=(count, codes.shape[1])))
    mixture = decode(decoder, draw_mixture(codes, definition["clusters"], count, rng))
    return facts, {"prior": prior, "mixture": mixture}


def tuned_rates(definition, x, valid):
    """Tune the rates of the autoencoders, plain and variational; return them and a row for each."""
    seed, most = definition["tuning_seed"], definition["most_rates"]
    ends = (max(definition["variances"]), min(definition["variances"]))
    rates, rows = {}, []
    for name, variance in (("AE", None), *((f"VAE {end}", end) for end in ends)):
        rates[name], inside, tried = tune(
            lambda rate, v=variance: train(definition, v, x, valid, rate=rate, seed=seed)[2],
            definition["first_rate"],
            most,
        )
        rows.append({"part": "tuning", "model": name, "rate": rates[name], "inside": inside})
        rows[-1] |= {"loss_by_rate": tried}
        print(rows[-1], flush=True)
    return rates, rows


def tuned_diffusion(definition, rates, x, valid):
    """Tune the diffusion model's rate by the distance of its codes; return it and a row."""
    seed = definition["tuning_seed"]
    encoder = train(definition, None, x, valid, rate=rates["AE"], seed=seed)[0]
    known, held_out = (encoder.predict(a, batch_size=1000, verbose=0) for a in (x, valid))
    centre, scale = known.mean(axis=0), known.std(axis=0)
    how, few = definition["diffusion"], definition["samples"]

    def diffusion_loss(rate):
        model, _ = train_diffusion(how, (known - centre) / scale, rate=rate, seed=seed)
        z = walk(model, how, known.shape[1], few, np.random.default_rng(seed))
        return frechet_distance(z, (held_out - centre) / scale)

    rate, inside, tried = tune(diffusion_loss, how["first_rate"], definition["most_rates"])
    row = {"part": "tuning", "model": "diffusion", "rate": rate, "inside": inside}
    print(row | {"loss_by_rate": tried}, flush=True)
    return rate, row | {"loss_by_rate": tried}


def vae_rate(rates, definition, variance):
    """Return the tuned rate of the end that is nearer to a variance, by their ratio."""
    low, high = min(definition["variances"]), max(definition["variances"])
    return rates[f"VAE {high if variance**2 > low * high else low}"]


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
    yardsticks = Yardsticks(definition, images, x, valid)
    rates, rows = tuned_rates(definition, x, valid)
    rates["diffusion"], row = tuned_diffusion(definition, rates, x, valid)
    rows.append(row)

    def add(name, samples, seed, **facts):
        row = {"part": "race", "sampler": name, "seed": seed} | yardsticks.measure(samples)
        rows.append(row | facts)
        print(rows[-1], flush=True)

    add("test images", test[: len(valid)], 0)
    add("mean image", np.repeat(x.mean(axis=0, keepdims=True), len(valid), axis=0), 0)
    for seed in definition["seeds"]:
        rng = np.random.default_rng(seed)
        for name, samples in without_networks(definition, x, rng):
            add(name, samples, seed)
        y = images.y_train[: len(x)]
        for name, samples in of_autoencoder(definition, rates, x, y, valid, seed=seed, rng=rng):
            add(name, samples, seed)
        for variance in definition["variances"]:
            rate = vae_rate(rates, definition, variance)
            facts, found = of_vae(definition, variance, x, valid, rate=rate, seed=seed, rng=rng)
            for name, samples in found.items():
                add(f"VAE {variance}, {name}", samples, seed, **facts)
    path = write_result(
        "variational",
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
