"""Which autoencoder for which task? The models of the book side by side, by one protocol.

For `chapters/which-autoencoder`. Every network has a code of thirty numbers (the sparse one thirty that
are not zero, of 256) and sees the training images `epochs` times in batches of 128. Every network's
rate is tuned by doubling and halving until both neighbours of the best are worse: with a seed that the
results do not use, on the first `images_to_tune` training images, by the network's own loss on
the validation images `tuned_on`. The same network and images choose the penalty of the classifiers
and how often the fill-in is repeated.

Tasks: *reconstruct* and *bits* on the validation images `measured_on`; *remove noise* and *fill in*
on the first `few` of them; *classify* on the test images; *generate* against all validation images.
What other studies have measured by the same protocol is not measured again: strangers (a class that
training never saw) by `anomalies`, rivals at noise by `denoising` and `denoising_unet`, further
samplers by `variational`. `seconds` are of the processor.

Run it with `python -m studies.which`, or `--quick`.
"""

import itertools
import resource
import time
from types import SimpleNamespace

import keras
import numpy as np
from keras import layers
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from helpers import fit, load_images
from helpers.yardstick import classifier_features, energy_distance, frechet_distance
from studies import code_size, convolutional, denoising, sparse, stacked, tied, variational
from studies.common import STUDIES, arguments, code_hash, code_reached, shared_files, write_result

BORROWED = {  # from other studies
    "stacked": {"build"},
    "code_size": {"autoencoder"},
    "tied": {"autoencoder"},
    "convolutional": {"convolutional", "tune"},
    "sparse": {"top_k", "encode", "climb"},
    "variational": {"network", "draw_mixture"},
    "denoising": {"add_noise", "clipped_mse"},
}

DEFINITION = {
    "code": 30,
    "batch": 128,
    "epochs": 3,
    "deep": [256, 128, 64],
    "noise": 0.3,
    "variances": [0.5, 0.013],
    "first_rates": {"convolutional": 0.02, "sparse": 0.006},
    "first_rate": 0.02,
    "most_rates": 9,
    "images_to_tune": 20_000,
    "tuned_on": [3000, 5000],
    "measured_on": [0, 3000],
    "few": 1000,
    "components": [10, 30, 64, 128],
    # How far a whole rounding step of any code number moves an image, in units of a pixel.
    "steps": [0.25, 0.35, 0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.6],
    "bits": 100,
    "images_of_coder": [10_000, 200],  # for the histograms, for the sensitivities
    "hole": 10,
    "passes": [1, 3, 10, 30, 100],
    "labels": {"100": 5, "5000": 1},  # how many: how often drawn with each seed
    "clusters": 100,
    "samples": 5000,
    "tuning_seed": 9,
    "seeds": [0, 1, 2],
    "images": None,
    "borrowed": {
        name: code_hash({}, *code_reached(names, [STUDIES / f"{name}.py", *shared_files()]))
        for name, names in BORROWED.items()
    },
}
QUICK = DEFINITION | {
    "epochs": 1,
    "deep": [32],
    "variances": [0.5],
    "most_rates": 3,
    "images_to_tune": 500,
    "tuned_on": [300, 500],
    "measured_on": [0, 200],
    "few": 50,
    "components": [10, 30],
    "steps": [0.5, 2, 5.6],
    "images_of_coder": [300, 20],
    "passes": [1, 3],
    "labels": {"100": 1, "500": 1},
    "clusters": 5,
    "samples": 500,
    "seeds": [0],
    "images": 1000,
}
CODE = DEFINITION["code"]


# Models: encode (n, 784) to codes, decode codes to (n, 784)


def apply(network, x, shape=()):
    """Return a network's outputs for images or codes, in parts of a thousand."""
    parts = [
        np.asarray(network(part.reshape(-1, *shape) if shape else part))
        for part in np.array_split(np.asarray(x, "float32"), -(-len(x) // 1000))
    ]
    return np.concatenate(parts)


class Coder:
    """A trained model: its two functions, its number of parameters, and what it has cost."""

    def __init__(self, encode, decode, parameters=0):
        self.encode, self.decode, self.parameters = encode, decode, parameters
        self.seconds, self.loss = 0.0, None

    def draw(self, x):
        """Return the reconstructions of images, (n, 784)."""
        return self.decode(self.encode(x))

    def codes_to_imitate(self, x, rng):
        """Return the codes that a sampler learns from."""
        return self.encode(x)


class Drawing(Coder):
    """A variational autoencoder: its code is the mean, its sampler learns from draws."""

    def __init__(self, encoder, decoder, parameters):
        self.both = lambda x: np.split(apply(encoder, x), 2, axis=1)
        super().__init__(lambda x: self.both(x)[0], lambda z: apply(decoder, z), parameters)

    def codes_to_imitate(self, x, rng):
        """Return codes drawn from what the encoder says."""
        mean, log_variance = self.both(x)
        return mean + np.exp(log_variance / 2) * rng.normal(size=mean.shape)


def of_components(x, count):
    """Return PCA as a coder."""
    start = time.process_time()
    pca = PCA(count, svd_solver="covariance_eigh").fit(x)
    mean, axes = pca.mean_, pca.components_
    coder = Coder(lambda x: (x - mean) @ axes.T, lambda z: z @ axes + mean, mean.size + axes.size)
    coder.seconds = time.process_time() - start
    return coder


def cut(model, depth):
    """Return a chain of layers as a coder whose code is the output of the layer number `depth`."""
    shape = model.input_shape[1:]
    encoder = keras.Sequential([keras.Input(shape), *model.layers[:depth]])
    decoder = keras.Sequential([keras.Input((CODE,)), *model.layers[depth:]])
    return Coder(
        lambda x: apply(encoder, x, shape),
        lambda z: apply(decoder, z).reshape(len(z), -1),
        model.count_params(),
    )


def learn(model, x, how, rate, epochs=None):
    """Train with the book's recipe."""
    epochs = epochs or how["epochs"]
    fit(model, x, epochs=epochs, batch_size=how["batch"], learning_rate=rate, verbose=False)


def whole(build, depth, shape=()):
    """Return the trainer of a network that learns all at once."""

    def train(x, how, rate):
        model = build()
        learn(model, x.reshape(-1, *shape) if shape else x, how, rate)
        return cut(model, depth)

    return train


def dense():
    """Return the book's stacked autoencoder, 784-100-30-100-784."""
    return stacked.build("gelu", "linear")


def greedy(x, how, rate):
    """Train the dense network link by link, an epoch each, and the whole for the epochs less one.

    The second link is so small that all of it costs about what the whole costs in `epochs`.
    """
    model = dense()
    down, code, back, out = model.layers
    outer = keras.Sequential([keras.Input((784,)), down, out])
    learn(outer, x, how, rate, 1)
    inner = keras.Sequential([keras.Input((100,)), code, back])
    hidden = apply(keras.Sequential([keras.Input((784,)), down]), x)
    learn(inner, hidden, how, rate, 1)
    learn(model, x, how, rate, max(how["epochs"] - 1, 1))
    return cut(model, 2)


def denoiser(x, how, rate):
    """Train the dense network behind a layer of noise."""
    model = dense()
    noise = layers.GaussianNoise(how["noise"])
    learn(keras.Sequential([keras.Input((784,)), noise, *model.layers]), x, how, rate)
    return cut(model, 2)


def with_few_active(x, how, rate):
    """Train a sparse autoencoder of 256 atoms, thirty of them active."""
    mean = x.mean(axis=0)
    settings = sparse.DEFINITION | {"epochs": how["epochs"], "batch": how["batch"]}
    task = SimpleNamespace(definition=settings, atoms=settings["atoms"], x=x - mean)
    encoder, decoder = sparse.top_k(task, CODE, how["seed"], rate=rate)
    atoms = decoder.kernel.numpy()
    parameters = 2 * atoms.size + len(atoms) + mean.size
    return Coder(
        lambda x: sparse.encode(encoder, x - mean, CODE), lambda z: z @ atoms + mean, parameters
    )


def variational_of(variance):
    """Return the trainer of a variational autoencoder of this pixel variance."""

    def train(x, how, rate):
        encoder, decoder, model = variational.network(CODE, 100, variance)
        learn(model, x, how, rate)
        return Drawing(encoder, decoder, model.count_params())

    return train


def trainers(definition):
    """Return the function that trains each network: of images, settings and a rate."""
    return {
        "dense": whole(dense, 2),
        "deep": whole(
            lambda: code_size.autoencoder([*definition["deep"], CODE]), len(definition["deep"]) + 1
        ),
        "tied": whole(lambda: tied.autoencoder(100, True, CODE), 2),
        "greedy": greedy,
        "denoising": denoiser,
        "sparse": with_few_active,
        "convolutional": whole(
            lambda: convolutional.convolutional(CODE, [16, 32, 64]), 5, (28, 28, 1)
        ),
        **{f"variational {v}": variational_of(v) for v in definition["variances"]},
    }


# Tasks


def mse(x, other):
    """Return the mean squared error per pixel."""
    return float(np.square(x - other).mean())


def curve_of_bits(coder, x_train, x, how):
    """Return (bits, MSE) per image for every rounding step.

    Each code number is rounded to multiples of a step, counted from its median, so wide that rounding
    any of the numbers changes the pixels alike: steps are inversely proportional to the root of the
    decoder's mean squared response, which for many bits is the best division. The levels of each
    number are charged what an ideal coder needs that knows their frequencies among training images
    (one image added to each). A sparse code pays for its positions in this way: zero is a level.
    """
    many, few = how["images_of_coder"]
    known, codes = coder.encode(x_train[:many]), coder.encode(x)
    middle, spread = np.median(known, axis=0), known.std(axis=0)
    some = known[:few]
    plain, response = coder.decode(some), []
    for i, width in enumerate(spread):
        moved = some.copy()
        moved[:, i] += 0.1 * width + 1e-6
        change = np.square(coder.decode(moved) - plain).sum(axis=1).mean()
        response.append(change / (0.1 * width + 1e-6) ** 2)
    unit = 1 / np.sqrt(np.maximum(response, 1e-12))
    points = []
    for step in how["steps"]:
        levels = np.round((known - middle) / (step * unit)).astype(int)
        low, high = levels.min(axis=0), levels.max(axis=0)
        sent = np.clip(np.round((codes - middle) / (step * unit)).astype(int), low, high)
        bits = 0.0
        for i in range(levels.shape[1]):
            counts = np.bincount(levels[:, i] - low[i], minlength=high[i] - low[i] + 1) + 1
            bits -= np.log2(counts[sent[:, i] - low[i]] / counts.sum()).mean()
        rounded = middle + sent * step * unit
        points.append([round(float(bits), 2), mse(x, coder.decode(rounded))])
    return points


def at_bits(points, bits):
    """Return the error at a number of bits, on the line between the two nearest points."""
    points = sorted(points)
    return float(np.interp(bits, *np.transpose(points)))


def holes(count, size, seed):
    """Return which pixels are hidden, bool (n, 784): a square per image, away from the border."""
    corners = np.random.default_rng(seed).integers(4, 25 - size, (count, 2))
    hidden = np.zeros((count, 28, 28), bool)
    for image, (row, column) in zip(hidden, corners, strict=True):
        image[row : row + size, column : column + size] = True
    return hidden.reshape(count, -1)


def fill(draw, x, mean, seed, how):
    """Return the error inside the hole after some numbers of passes, by number.

    At first the hole holds the mean image, and then what the model drew there.
    """
    hidden = holes(len(x), how["hole"], seed)
    seen, found = np.where(hidden, mean, x), {}
    for done in range(1, max(how["passes"]) + 1):
        drawn = np.clip(draw(seen), 0, 1)
        seen = np.where(hidden, drawn, x)
        if done in how["passes"]:
            found[done] = mse(x[hidden], drawn[hidden])
    return found


def fill_by_regression(x_train, x, seed, how):
    """Return the error inside the hole of the best linear guess from the pixels that are seen."""
    mean, covariance = x_train.mean(axis=0), np.cov(x_train.T)
    covariance += 1e-4 * np.eye(len(covariance))
    hidden, errors = holes(len(x), how["hole"], seed), []
    for mask in np.unique(hidden, axis=0):
        rows = (hidden == mask).all(axis=1)
        weights = np.linalg.solve(covariance[~mask][:, ~mask], covariance[~mask][:, mask])
        guess = mean[mask] + (x[rows] - mean)[:, ~mask] @ weights
        errors.append(np.square(np.clip(guess, 0, 1) - x[rows][:, mask]))
    return float(np.concatenate(errors).mean())


class Study:
    """The images, the settings, and what is measured of every model alike."""

    def __init__(self, definition):
        self.how, self.rows, self.start = definition, [], time.perf_counter()
        images = load_images()
        self.name, part = images.name, slice(definition["images"])
        self.x, self.valid, self.test = (
            a.reshape(-1, 784)[part] for a in (images.x_train, images.x_valid, images.x_test)
        )
        self.y, self.y_valid, self.y_test = (
            a[part] for a in (images.y_train, images.y_valid, images.y_test)
        )
        self.mean = self.x.mean(axis=0)
        self.tuned_on, measured = (slice(*definition[k]) for k in ("tuned_on", "measured_on"))
        self.tuning, self.measured = self.valid[self.tuned_on], self.valid[measured]
        self.few = self.measured[: definition["few"]]
        self.features = classifier_features(self.x, self.y)
        self.real = apply(self.features, self.valid)

    def add(self, part, model, **row):
        """Keep a row and show it."""
        self.rows.append({"part": part, "model": model, **row})
        print(f"{time.perf_counter() - self.start:.0f} s", self.rows[-1], flush=True)

    def train(self, trainer, x, rate, seed):
        """Train a network; return its coder, with the processor's seconds."""
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
        start = time.process_time()
        coder = trainer(x, self.how | {"seed": seed}, rate)
        coder.seconds = time.process_time() - start
        return coder

    def loss(self, name, coder):
        """Return what a network's rate is tuned by: its own loss, on the tuning images."""
        x, seed = self.tuning, self.how["tuning_seed"]
        if name == "denoising":
            return mse(x, coder.draw(denoising.add_noise(x, self.how["noise"], seed)))
        if isinstance(coder, Drawing):
            variance = float(name.split()[1])
            mean, log_variance = coder.both(x)
            noise = np.random.default_rng(seed).normal(size=mean.shape)
            drawn = coder.decode(mean + np.exp(log_variance / 2) * noise)
            divergence = (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1).mean() / 2
            return mse(x, drawn) + 2 * variance / 784 * float(divergence)
        return mse(x, coder.draw(x))

    def tune(self, name, trainer):
        """Tune a network's rate; return it and the best network, and keep a row."""
        found = {}

        def measure(rate):
            few = self.x[: self.how["images_to_tune"]]
            found[rate] = self.train(trainer, few, rate, self.how["tuning_seed"])
            return self.loss(name, found[rate])

        first = self.how["first_rates"].get(name, self.how["first_rate"])
        rate, inside, tried = convolutional.tune(measure, first, self.how["most_rates"])
        self.add("rate", name, rate=rate, inside=inside, tried=tried)
        return rate, found[rate]

    def accuracy(self, classifier, look, count, draw, *, tuning=False):
        """Train a classifier on some labelled images; return its accuracy on others."""
        chosen = np.random.default_rng(draw).choice(len(self.x), int(count), replace=False)
        x, y = (self.tuning, self.y_valid[self.tuned_on]) if tuning else (self.test, self.y_test)
        inputs = look(self.x[chosen])
        middle, scale = inputs.mean(axis=0), inputs.std()
        classifier.fit((inputs - middle) / scale, self.y[chosen])
        return float((classifier.predict((look(x) - middle) / scale) == y).mean())

    def tune_classifier(self, look, count, build, first, factor):
        """Multiply and divide a setting until no neighbour is better, on two draws of labels."""
        draws = [100, 101]

        def score(setting):
            found = [self.accuracy(build(setting), look, count, d, tuning=True) for d in draws]
            return np.mean(found)

        return sparse.climb(score, first, factor)

    def settings(self, name, coder):
        """Choose the classifiers' penalties and the passes of the fill-in; keep a row."""
        found = {
            f"C_{count}": self.tune_classifier(coder.encode, count, regression, 1.0, 3)
            for count in self.how["labels"]
        }
        errors = fill(coder.draw, self.tuning, self.mean, self.how["tuning_seed"], self.how)
        found["passes"] = min(errors, key=errors.get)
        self.add("settings", name, **found, fill_by_passes={str(k): v for k, v in errors.items()})
        return found

    def classify(self, look, seed, builders):
        """Return the mean accuracy for each number of labels."""
        return {
            f"classify_{count}": float(
                np.mean(
                    [
                        self.accuracy(builders[count](), look, count, 10 * seed + draw)
                        for draw in range(draws)
                    ]
                )
            )
            for count, draws in self.how["labels"].items()
        }

    def distances(self, samples):
        """Return how far samples are from the validation images."""
        samples = np.clip(np.asarray(samples, "float32"), 0, 1)
        return {
            "frechet": frechet_distance(apply(self.features, samples), self.real),
            "energy": energy_distance(samples[:2000], self.valid[:2000]),
        }

    def generate(self, coder, rng):
        """Return the distances of samples: a mixture of Gaussians draws the codes."""
        codes = coder.codes_to_imitate(self.x, rng)
        count = self.how["samples"]
        drawn = variational.draw_mixture(codes, self.how["clusters"], count, rng)
        return self.distances(coder.decode(drawn))

    def measure(self, name, coder, seed, chosen):
        """Measure a model on every task; keep a row."""
        how, rng = self.how, np.random.default_rng(seed)
        noisy = denoising.add_noise(self.few, how["noise"], seed)
        points = curve_of_bits(coder, self.x, self.measured, how)
        row = {"seed": seed, "parameters": coder.parameters, "seconds": round(coder.seconds, 2)}
        row["reconstruct"] = mse(self.measured, coder.draw(self.measured))
        row |= {"curve": points, "bits": at_bits(points, how["bits"])}
        row["denoise"] = denoising.clipped_mse(self.few, coder.draw(noisy))
        passes = how | {"passes": [chosen["passes"]]}
        row["fill"] = fill(coder.draw, self.few, self.mean, seed, passes)[chosen["passes"]]
        builders = {
            count: lambda count=count: regression(chosen[f"C_{count}"]) for count in how["labels"]
        }
        row |= self.classify(coder.encode, seed, builders) | self.generate(coder, rng)
        if isinstance(coder, Drawing):
            prior = coder.decode(rng.normal(size=(how["samples"], CODE)))
            row |= {f"{key}_prior": value for key, value in self.distances(prior).items()}
        self.add("model", name, **row)


def regression(c):
    """Return a logistic regression of this penalty."""
    return LogisticRegression(C=c, max_iter=3000)


# Parts of the study


def without_network(study):
    """Measure PCA, and its bits with other numbers of components."""
    how = study.how
    coder = of_components(study.x, CODE)
    chosen = study.settings("PCA", of_components(study.x[: how["images_to_tune"]], CODE))
    for seed in how["seeds"]:
        study.measure("PCA", coder, seed, chosen)
    for count in how["components"]:
        coder = of_components(study.x, count)
        points = curve_of_bits(coder, study.x, study.measured, how)
        error = mse(study.measured, coder.draw(study.measured))
        study.add("bits", f"PCA-{count}", reconstruct=error, curve=points)


def floors(study):
    """Measure what knows nothing, and what nothing here can be expected to beat."""
    how, mean = study.how, study.mean
    study.add("floor", "test images", **study.distances(study.test[: len(study.valid)]))
    copies = np.repeat(mean[None], len(study.valid), axis=0)
    row = {"parameters": mean.size, "seconds": 0, **study.distances(copies)}
    row["reconstruct"] = row["bits"] = mse(study.measured, mean)
    row["denoise"] = mse(study.few, mean)
    for seed in how["seeds"]:
        row["fill"] = fill(lambda x: copies[: len(x)], study.few, mean, seed, how)[1]
        row["classify_100"] = row["classify_5000"] = float((study.y_test == 0).mean())
        study.add("model", "mean image", seed=seed, **row)
        error = fill_by_regression(study.x, study.few, seed, how)
        study.add("rival", "regression on what is seen", seed=seed, fill=error)


def classifiers_of_pixels(study):
    """Measure a logistic regression and a support vector machine on pixels."""
    how = study.how

    def pixels(x):
        return x

    straight, curved = {}, {}
    for count in how["labels"]:
        c = study.tune_classifier(pixels, count, regression, 0.03, 3)
        straight[count] = lambda c=c: regression(c)
        gamma = study.tune_classifier(pixels, count, lambda g: SVC(C=10.0, gamma=g), 0.002, 2)
        c = study.tune_classifier(pixels, count, lambda c, g=gamma: SVC(C=c, gamma=g), 10.0, 3)
        curved[count] = lambda c=c, g=gamma: SVC(C=c, gamma=g)
        study.add("settings", "SVM on pixels", labels=count, C=c, gamma=gamma)
    for seed, (name, builders) in itertools.product(
        how["seeds"], {"regression on pixels": straight, "SVM on pixels": curved}.items()
    ):
        study.add("rival", name, seed=seed, **study.classify(pixels, seed, builders))


def networks(study):
    """Tune every network and measure it with every seed."""
    for name, trainer in trainers(study.how).items():
        rate, coder = study.tune(name, trainer)
        chosen = study.settings(name, coder)
        for seed in study.how["seeds"]:
            coder = study.train(trainer, study.x, rate, seed)
            study.measure(name, coder, seed, chosen)


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    study = Study(definition)
    cpu = time.process_time()
    floors(study)
    without_network(study)
    networks(study)
    classifiers_of_pixels(study)
    path = write_result(
        "which",
        definition,
        study.rows,
        time.perf_counter() - study.start,
        folder=options.out,
        quick=options.quick,
        data=study.name,
        cpu_seconds=round(time.process_time() - cpu),
        memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        date=time.strftime("%Y-%m-%d", time.gmtime()),
    )
    print(path)


if __name__ == "__main__":
    main()
