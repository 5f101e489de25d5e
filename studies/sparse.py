"""What do sparse autoencoders buy, beside rivals that need no network?

For `chapters/sparse-autoencoder`. Dictionaries of 256 atoms with unit norm on centred images:
autoencoders with TopK or with an L1 penalty, MOD (orthogonal matching pursuit and least squares in
turns), random training images, and the best PCA coefficients of each image. Then the KL recipe under
several scalings; ways to have no dead atoms; the encoder against matching pursuit on the same
atoms; purity, selectivity and stability of atoms beside controls; linear probes with few labels.

Learning rates of TopK and of L1 are tuned by doubling and halving on the validation images, with a
seed that the results do not use; so are the probes' penalties and the SVM. Probes are measured on
the test images, everything else on the validation images.

Run it with `python -m studies.sparse`, or `--quick`.
"""

import itertools
import math
import time

import keras
import numpy as np
from keras import layers, ops
from scipy.optimize import linear_sum_assignment
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from helpers import TopK, fit, load_images
from studies.common import arguments, write_result

DEFINITION = {
    "atoms": 256,
    "numbers": [10, 30],
    "batch": 128,
    "epochs": 3,
    "first_rate": 0.003,
    "second_weight": 0.125,
    "l1_weights": [3e-4, 1e-3, 5e-3],
    "mod": {"images": 10_000, "iterations": 8},
    "kl": {
        "epochs": 3,
        "rate": 0.002,
        "weight": 0.005,
        "target": 0.1,
        # sum or mean over the units, factor on the weight (1 / 128: as if divided by a batch), target
        "arms": [["sum", 1, 0.1], ["mean", 1, 0.1], ["sum", 0.0078125, 0.1], ["sum", 1, 0.02]],
    },
    "probe": {"labels": [100, 1000], "draws": 6, "tuning_draws": [9, 10, 11]},
    "tuning_seed": 9,
    "seeds": [0, 1, 2],
    "images": None,
}
QUICK = DEFINITION | {
    "atoms": 64,
    "numbers": [5, 10],
    "epochs": 1,
    "l1_weights": [1e-3],
    "mod": {"images": 300, "iterations": 1},
    "kl": DEFINITION["kl"] | {"epochs": 1, "arms": [["sum", 1, 0.1]]},
    "probe": {"labels": [100], "draws": 1, "tuning_draws": [9]},
    "seeds": [0, 1],
    "images": 300,
}


FIRING = 50  # validation images that must drive an atom before it is read


class Task:
    """The images, centred, with what every part of the study needs of the others."""

    def __init__(self, definition, images):
        self.definition, self.images = definition, images
        self.atoms, self.seeds = definition["atoms"], definition["seeds"]
        self.numbers, weights = definition["numbers"], definition["l1_weights"]
        self.l1_weight = weights[len(weights) // 2]
        x, valid = (
            a.reshape(-1, 784)[: definition["images"]] for a in (images.x_train, images.x_valid)
        )
        self.mean = x.mean(axis=0)
        self.x, self.valid = x - self.mean, valid - self.mean
        self.pca = np.linalg.eigh(self.x.T @ self.x).eigenvectors[:, ::-1].T
        self.rates, self.kept = {}, {}


def mse(x, drawn):
    """Return the mean squared error per pixel."""
    return float(np.square(x - drawn).mean())


def unit(rows):
    """Return rows with norm one."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# Without a network


def pursue(x, atoms, k, *, positive=False):
    """Orthogonal matching pursuit of every image in turns of 1000; return codes, (n, atoms)."""
    return np.concatenate(
        [_pursue(x[i : i + 1000], atoms, k, positive) for i in range(0, len(x), 1000)]
    )


def _pursue(x, atoms, k, positive):
    gram, start = atoms @ atoms.T, x @ atoms.T
    left, rows = start.copy(), np.arange(len(x))
    chosen = np.zeros((len(x), k), int)
    basis = np.zeros((len(x), k, len(atoms)), "float32")  # Gram-Schmidt, seen by every atom
    free = np.ones_like(left, bool)
    for step in range(k):
        score = np.where(free, left if positive else np.abs(left), -np.inf)
        chosen[:, step] = best = score.argmax(axis=1)
        free[rows, best] = False
        new = gram[best] - np.einsum(
            "nl,nlm->nm", basis[rows, :step, best], basis[:, :step], optimize=True
        )
        new /= np.sqrt(np.maximum(new[rows, best], 1e-6))[:, None]
        left -= (left[rows, best] / np.maximum(new[rows, best], 1e-6))[:, None] * new
        basis[:, step] = new
    within = gram[chosen[:, :, None], chosen[:, None, :]] + 1e-6 * np.eye(k, dtype="float32")
    solved = np.linalg.solve(within, np.take_along_axis(start, chosen, axis=1)[..., None])
    codes = np.zeros_like(left)
    np.put_along_axis(codes, chosen, solved[..., 0], axis=1)
    return codes


def refit(x, atoms, codes):
    """Return the best codes with the same entries at zero, by least squares."""
    gram, target = atoms @ atoms.T, x @ atoms.T
    best = np.empty_like(codes)
    for i in range(0, len(x), 250):
        on = (codes[i : i + 250] > 0).astype("float32")
        system = gram * on[:, :, None] * on[:, None, :]
        system += np.eye(len(atoms), dtype="float32") * (1 - on + 1e-5)[:, None, :]
        right = (on * target[i : i + 250])[..., None]
        best[i : i + 250] = np.linalg.solve(system, right)[..., 0]
    return best


def random_images(task, seed):
    """Return centred training images of norm one as atoms."""
    chosen = np.random.default_rng(seed).choice(len(task.x), task.atoms, replace=False)
    return unit(task.x[chosen])


def mod(task, k, seed):
    """Return atoms by the method of optimal directions (Engan et al. 1999)."""
    how, generator = task.definition["mod"], np.random.default_rng(seed)
    atoms = random_images(task, seed)
    seen = task.x[generator.permutation(len(task.x))[: how["images"]]]
    for _ in range(how["iterations"]):
        codes = pursue(seen, atoms, k)
        unused = np.abs(codes).sum(axis=0) == 0
        square = codes.T @ codes + 1e-3 * np.eye(len(atoms), dtype="float32")
        atoms = np.linalg.solve(square, codes.T @ seen)
        atoms[unused] = seen[generator.choice(len(seen), unused.sum(), replace=False)]
        atoms = unit(atoms).astype("float32")
    return atoms


def without_network(task):
    """Yield a row for each method that trains no network; keep MOD's atoms."""
    coefficients, valid = task.valid @ task.pca.T, task.valid
    largest = -np.sort(-np.square(coefficients), axis=1)
    for k in task.numbers:
        total = np.square(valid).sum(axis=1)
        first = np.square(coefficients[:, :k]).sum(axis=1)
        best = largest[:, :k].sum(axis=1)
        for arm, kept in (("PCA", first), ("best of PCA", best)):
            yield {"part": "free", "arm": arm, "k": k, "mse": float((total - kept).mean() / 784)}
        for seed in task.seeds:
            row = {"part": "free", "k": k, "seed": seed}
            atoms = random_images(task, seed)
            yield row | {"arm": "images", "mse": mse(valid, pursue(valid, atoms, k) @ atoms)}
            atoms = task.kept["MOD", k, seed] = mod(task, k, seed)
            yield row | {"arm": "MOD", "mse": mse(valid, pursue(valid, atoms, k) @ atoms)}


# Autoencoders


class L1(layers.Layer):
    """Passes codes on, and adds their L1 norm, averaged over the batch, to the loss."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def call(self, codes):
        """Add the penalty."""
        self.add_loss(self.weight * ops.mean(ops.sum(ops.abs(codes), axis=-1)))
        return codes


class KL(layers.Layer):
    """Passes activations on; adds the divergence of their means over the batch from a target."""

    def __init__(self, weight, target, reduce):
        super().__init__()
        self.weight, self.target, self.reduce = weight, target, getattr(ops, reduce)

    def call(self, activations):
        """Add the penalty."""
        p, q = self.target, ops.clip(ops.mean(activations, axis=0), 1e-6, 1 - 1e-6)
        divergence = p * ops.log(p / q) + (1 - p) * ops.log((1 - p) / (1 - q))
        self.add_loss(self.weight * self.reduce(divergence))
        return activations


def halves(task, seed, *, free_decoder=False):
    """Return encoder and decoder layers, the one starting as the other's transpose."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    encoder = layers.Dense(task.atoms)
    norm = None if free_decoder else keras.constraints.UnitNorm(axis=1)
    decoder = layers.Dense(784, use_bias=False, kernel_constraint=norm)
    encoder.build((None, 784))
    decoder.build((None, task.atoms))
    atoms = unit(np.random.default_rng(seed).normal(size=decoder.kernel.shape))
    decoder.kernel.assign(atoms)
    encoder.kernel.assign(atoms.T)
    return encoder, decoder


def chain(encoder, keep, decoder):
    """Return the model that encodes, keeps some entries, and decodes."""
    return keras.Sequential([keras.Input((784,)), encoder, keep, decoder])


def compiled(model, task, rate, epochs, **loss):
    """Compile a model with Adam under a cosine schedule over all its epochs, and return it."""
    steps = math.ceil(len(task.x) / task.definition["batch"]) * epochs
    adam = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps))
    model.compile(optimizer=adam, steps_per_execution=50, **loss or {"loss": "mse"})
    return model


def train(model, task, rate, *, x=None, epochs=None):
    """Train a model on the images, or on some form of them."""
    epochs = epochs or task.definition["epochs"]
    x = task.x if x is None else x
    model = compiled(model, task, rate, epochs)
    fit(model, x, epochs=epochs, batch_size=task.definition["batch"], verbose=False)


def second_output(task, encoder, decoder, k, rate):
    """Train with the top 4k decoded beside the top k."""
    inputs = keras.Input((784,))
    before = encoder(inputs)
    outputs = [decoder(TopK(k)(before)), decoder(TopK(4 * k)(before))]
    loss = {"loss": ["mse", "mse"], "loss_weights": [1, task.definition["second_weight"]]}
    epochs, batch = task.definition["epochs"], task.definition["batch"]
    model = compiled(keras.Model(inputs, outputs), task, rate, epochs, **loss)
    model.fit(task.x, [task.x, task.x], epochs=epochs, batch_size=batch, verbose=0)


def annealed(task, encoder, decoder, k, rate):
    """Train one epoch with the top 4k, and the rest with the top k."""
    train(chain(encoder, TopK(4 * k), decoder), task, rate, epochs=1)
    rest = max(task.definition["epochs"] - 1, 1)
    train(chain(encoder, TopK(k), decoder), task, rate, epochs=rest)


def resampled(task, encoder, decoder, k, rate):
    """Train one epoch, give dead atoms residuals of badly drawn images as a start, train the rest.

    Of residuals or images, of Adam as it is or anew, and of a full or a fifth of the encoder's
    length, this was the best with the tuning seed.
    """
    train(chain(encoder, TopK(k), decoder), task, rate, epochs=1)
    some = task.x[:20_000]
    codes = encode(encoder, some, k)
    atoms, kernel, bias = (v.numpy() for v in (decoder.kernel, encoder.kernel, encoder.bias))
    residuals = some - codes @ atoms
    dead = np.flatnonzero(codes.sum(axis=0) == 0)
    error = np.square(residuals).sum(axis=1, dtype="float64")
    chosen = np.random.default_rng(0).choice(len(some), len(dead), False, error / error.sum())
    atoms[dead] = unit(residuals[chosen])
    kernel[:, dead], bias[dead] = atoms[dead].T, 0
    for variable, value in zip(
        (decoder.kernel, encoder.kernel, encoder.bias), (atoms, kernel, bias), strict=True
    ):
        variable.assign(value)
    rest = max(task.definition["epochs"] - 1, 1)
    train(chain(encoder, TopK(k), decoder), task, rate, epochs=rest)


def plain(task, encoder, decoder, k, rate):
    """Train with the top k alone."""
    train(chain(encoder, TopK(k), decoder), task, rate)


def not_centred(task, encoder, decoder, k, rate):
    """Train with the top k alone, on the images as they are."""
    train(chain(encoder, TopK(k), decoder), task, rate, x=task.x + task.mean)


def top_k(task, k, seed, *, rate=None, way=second_output):
    """Train a TopK autoencoder in one of these ways; return its encoder and decoder layers."""
    encoder, decoder = halves(task, seed)
    way(task, encoder, decoder, k, rate or task.rates["TopK"])
    return encoder, decoder


def l1(task, weight, seed, *, rate=None, **how):
    """Train an autoencoder with ReLU codes and an L1 penalty; return its two layers."""
    encoder, decoder = halves(task, seed, **how)
    keep = keras.Sequential([layers.ReLU(), L1(weight)])
    train(chain(encoder, keep, decoder), task, rate or task.rates["L1"])
    return encoder, decoder


def encode(encoder, x, k=None):
    """Return the codes, by TopK or by ReLU alone."""
    before = x @ encoder.kernel.numpy() + encoder.bias.numpy()
    return before * (before > 0) if k is None else keep_largest(before, k)


def keep_largest(before, k):
    """Return what `TopK` returns."""
    least = -np.partition(-before, k - 1, axis=1)[:, k - 1 : k]
    return np.where(before >= least, np.maximum(before, 0), 0)


def measure(task, pair, k=None, *, shift=0, pursuit=False):
    """Return error and activity on validation images, and what better codes would reach."""
    encoder, decoder = pair
    valid, atoms = task.valid + shift, decoder.kernel.numpy()
    codes = encode(encoder, valid, k)
    drawn = codes @ atoms
    dead = encode(encoder, task.x[:20_000] + shift, k).sum(axis=0) == 0
    gain = float((valid * drawn).sum() / np.square(drawn).sum())
    found = {
        "l0": float((codes > 0).sum(axis=1).mean()),
        "dead": int(dead.sum()),
        "mse": mse(valid, drawn),
        "gain": gain,
        "gain_mse": mse(valid, gain * drawn),
        "refit_mse": mse(valid, refit(valid, atoms, codes) @ atoms),
        "norm": float(np.linalg.norm(atoms, axis=1).mean()),
        "l1": float(codes.sum(axis=1).mean()),
    }
    return found | (against_pursuit(valid, pair, k) if pursuit else {})


def against_pursuit(valid, pair, k):
    """Return the errors of matching pursuit on an autoencoder's atoms, and both times."""
    atoms = unit(pair[1].kernel.numpy())
    times = [time.perf_counter()]
    encode(pair[0], valid, k)
    times.append(time.perf_counter())
    signed = pursue(valid, atoms, k)
    times.append(time.perf_counter())
    positive = pursue(valid, atoms, k, positive=True)
    return {
        "omp_mse": mse(valid, signed @ atoms),
        "omp_positive_mse": mse(valid, positive @ atoms),
        "encode_seconds": round(times[1] - times[0], 4),
        "omp_seconds": round(times[2] - times[1], 4),
    }


def tuned_rate(first, error):
    """Double and halve the rate until both neighbours of the best are worse; return it, and all."""
    tried, best = {}, first
    while True:
        for rate in (best / 2, best, best * 2):
            if rate not in tried:
                tried[rate] = error(rate)
        if best == min(tried, key=tried.get):
            return best, {f"{rate:g}": value for rate, value in sorted(tried.items())}
        best = min(tried, key=tried.get)


def tuning(task):
    """Tune the rates of TopK and L1, on the error and on the penalised error; yield their rows."""
    seed, k = task.definition["tuning_seed"], task.numbers[0]

    def by_top_k(rate):
        encoder, decoder = top_k(task, k, seed, rate=rate)
        return mse(task.valid, encode(encoder, task.valid, k) @ decoder.kernel.numpy())

    def by_l1(rate):
        encoder, decoder = l1(task, task.l1_weight, seed, rate=rate)
        codes = encode(encoder, task.valid)
        penalty = task.l1_weight * float(codes.sum(axis=1).mean())
        return mse(task.valid, codes @ decoder.kernel.numpy()) + penalty

    for arm, error in (("TopK", by_top_k), ("L1", by_l1)):
        task.rates[arm], tried = tuned_rate(task.definition["first_rate"], error)
        yield {"part": "tuning", "arm": arm, "rate": task.rates[arm], "error_by_rate": tried}


def autoencoders(task):
    """Train every autoencoder with every seed; keep some of the layers; yield a row for each."""
    small = task.numbers[0]
    for seed in task.seeds:
        for k in task.numbers:
            pair = task.kept["TopK", k, seed] = top_k(task, k, seed)
            row = {"part": "autoencoder", "arm": "TopK", "k": k, "seed": seed}
            yield row | measure(task, pair, k, pursuit=True)
        for way in (plain, annealed, resampled, not_centred):
            pair = top_k(task, small, seed, way=way)
            row = {"part": "dead", "arm": way.__name__.replace("_", " "), "k": small, "seed": seed}
            yield row | measure(task, pair, small, shift=task.mean if way is not_centred else 0)
        for weight in task.definition["l1_weights"]:
            pair = task.kept["L1", weight, seed] = l1(task, weight, seed)
            row = {"part": "autoencoder", "arm": "L1", "weight": weight, "seed": seed}
            yield row | measure(task, pair)
        pair = l1(task, task.l1_weight, seed, free_decoder=True)
        row = {"part": "autoencoder", "arm": "L1, free decoder", "weight": task.l1_weight}
        yield row | {"seed": seed} | measure(task, pair)


# The KL recipe


def kl_recipe(task, seed, reduce, factor, target):
    """Train 784-100-300-100-784 with a penalty on the means of the 300; return what they do."""
    how, x, valid = task.definition["kl"], task.x + task.mean, task.valid + task.mean
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    code = keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(100, "relu"),
            layers.Dense(300, "sigmoid"),
            KL(how["weight"] * factor, target, reduce),
        ]
    )
    out = keras.Sequential([layers.Dense(100, "relu"), layers.Dense(784)])
    train(keras.Sequential([code, out]), task, how["rate"], x=x, epochs=how["epochs"])
    activations = code.predict(valid, batch_size=1000, verbose=0)
    drawn = out.predict(activations, batch_size=1000, verbose=0)
    top = -np.sort(-activations, axis=1)
    return {
        "mse": mse(valid, drawn),
        "mean": float(activations.mean()),
        "below_0.01": float((activations < 0.01).mean()),
        "above_0.5": float((activations > 0.5).mean()),
        "share_of_top_30": float((top[:, :30].sum(axis=1) / top.sum(axis=1)).mean()),
    }


def by_divergence(task):
    """Run the KL recipe under every scaling with every seed, on images that are not centred."""
    for (reduce, factor, target), seed in itertools.product(
        task.definition["kl"]["arms"], task.seeds
    ):
        row = {"part": "kl", "reduce": reduce, "factor": factor, "target": target, "seed": seed}
        yield row | kl_recipe(task, seed, reduce, factor, target)


# Reading the atoms


def readings(activations, labels):
    """Return mean purity of the top 50 and the share of selective atoms, of those that fire.

    Purity: the share of the commonest class among the 50 images that drive the atom most.
    Selectivity: (a - b) / (a + b), with a the largest mean activation of a class and b the mean
    over the other images (Morcos et al. 2018).
    """
    firing = (activations > 0).sum(axis=0) >= FIRING
    purity, selectivity = [], []
    for column in activations.T[firing]:
        top = labels[np.argsort(-column)[:50]]
        purity.append(np.bincount(top).max() / 50)
        means = [column[labels == c].mean() for c in range(10)]
        best = int(np.argmax(means))
        other = column[labels != best].mean()
        selectivity.append((means[best] - other) / (means[best] + other + 1e-9))
    return {
        "firing": int(firing.sum()),
        "active": float((activations > 0).sum(axis=1).mean()),
        "purity": float(np.mean(purity)) if purity else None,
        "selective": float((np.array(selectivity) > 0.8).mean()) if purity else None,
    }


def stability(first, second):
    """Return how well one set of atoms finds itself in another: atom by atom, and as a span."""
    cosine = np.abs(first @ second.T)
    matched = cosine[linear_sum_assignment(-cosine)]
    axes = np.linalg.svd(second, full_matrices=False)[2]
    return {
        "atoms": len(first),
        "matched": float(matched.mean()),
        "above_0.9": float((matched > 0.9).mean()),
        "in_span": float(np.square(first @ axes.T).sum() / np.square(first).sum()),
    }


def interpretations(task):
    """Read the atoms of every method with every seed; yield a row for each."""
    k, m, valid = task.numbers[0], task.atoms, task.valid
    labels = task.images.y_valid[: len(valid)]
    signed = np.concatenate([task.pca[: m // 2], -task.pca[: m // 2]])
    found = {}
    for seed in task.seeds:
        directions = unit(np.random.default_rng(seed).normal(size=(m, 784))).astype("float32")
        encoder, decoder = task.kept["TopK", k, seed]
        sparse, shrunk = task.kept["L1", task.l1_weight, seed]
        atoms = {
            "TopK": unit(decoder.kernel.numpy()),
            "L1": unit(shrunk.kernel.numpy()),
            "MOD": task.kept["MOD", k, seed],
            "training images": random_images(task, seed),
            "random": directions,
        }
        codes = {
            "TopK": encode(encoder, valid, k),
            "L1": encode(sparse, valid),
            "PCA": np.maximum(valid @ signed.T, 0),
            "PCA, top k": keep_largest(valid @ signed.T, k),
            "random, ReLU": np.maximum(valid @ directions.T, 0),
            "random, top k": keep_largest(valid @ directions.T, k),
        }
        for arm in ("TopK", "MOD", "training images", "random"):  # all with codes of one kind
            pursued = np.maximum(pursue(valid, atoms[arm], k, positive=True), 0)
            codes[f"{arm}, OMP"] = pursued
        for arm, activations in codes.items():
            yield {"part": "atoms", "arm": arm, "seed": seed} | readings(activations, labels)
        for arm, rows in atoms.items():
            activations = codes[arm if arm in codes else f"{arm}, OMP"]
            found[arm, seed] = rows[(activations > 0).sum(axis=0) >= FIRING]
    arms = dict.fromkeys(arm for arm, _ in found)
    for arm, (a, b) in itertools.product(arms, itertools.combinations(task.seeds, 2)):
        row = {"part": "stability", "arm": arm, "seeds": [a, b]}
        yield row | stability(found[arm, a], found[arm, b])


# Few labels


def features(task, seed):
    """Return the features to probe: a function of centred images for each name."""
    small, large = task.numbers
    directions = np.random.default_rng(seed).normal(size=(task.atoms, 784)).astype("float32")
    raw = random_images(task, seed)
    few, many = (task.kept["TopK", k, seed][0] for k in (small, large))
    return {
        "pixels": lambda z: z,
        "PCA-30": lambda z: z @ task.pca[:30].T,
        "TopK, few": lambda z: encode(few, z, small),
        "TopK, many": lambda z: encode(many, z, large),
        "TopK, few, ReLU": lambda z: encode(few, z),
        "L1": lambda z: encode(task.kept["L1", task.l1_weight, seed][0], z),
        "random, ReLU": lambda z: np.maximum(z @ unit(directions).T, 0),
        "training images, ReLU": lambda z: np.maximum(z @ raw.T, 0),
    }


def climb(score, first, factor):
    """Multiply and divide until no neighbour of the best is better; return the best."""
    tried, best = {}, first
    while True:
        for value in (best / factor, best, best * factor):
            if value not in tried:
                tried[value] = score(value)
        top = max(tried, key=tried.get)
        if tried[top] <= tried[best]:
            return best
        best = top


class Probe:
    """One classifier on one kind of features: tuned on some draws of labels, measured on others."""

    def __init__(self, task, name, labels):
        self.task, self.name, self.labels = task, name, labels
        self.c, self.gamma = 0.03, None
        draws, held_y = task.definition["probe"]["tuning_draws"], task.images.y_valid

        def score(**setting):
            vars(self).update(setting)
            return np.mean([self.accuracy(d, task.valid, held_y[: len(task.valid)]) for d in draws])

        if name == "SVM":
            self.c, self.gamma = 10.0, 1 / 784 / float(task.x.var())
            for _ in range(2):
                self.gamma = climb(lambda gamma: score(gamma=gamma), self.gamma, 2)
                self.c = climb(lambda c: score(c=c), self.c, 3)
        else:
            self.c = climb(lambda c: score(c=c), self.c, 3)

    def accuracy(self, draw, z, z_y):
        """Train on a draw of labelled training images, and return the accuracy on others."""
        x, y = self.task.x, self.task.images.y_train
        chosen = np.random.default_rng(draw).choice(len(x), self.labels, replace=False)
        if self.name == "SVM":
            machine = SVC(C=self.c, gamma=self.gamma).fit(x[chosen], y[chosen])
            return float((machine.predict(z) == z_y).mean())
        seed = self.task.seeds[draw % len(self.task.seeds)]
        seen = features(self.task, seed)[self.name]
        inputs = seen(x[chosen])
        scale = inputs.std()
        machine = LogisticRegression(C=self.c, max_iter=300).fit(inputs / scale, y[chosen])
        return float((machine.predict(seen(z) / scale) == z_y).mean())


def probes(task):
    """Tune and measure classifiers on every kind of features; yield a row for each draw."""
    how, images = task.definition["probe"], task.images
    test = images.x_test.reshape(-1, 784)[: task.definition["images"]] - task.mean
    test_y = images.y_test[: len(test)]
    for labels, name in itertools.product(how["labels"], [*features(task, 0), "SVM"]):
        probe = Probe(task, name, labels)
        for draw in range(how["draws"]):
            row = {"part": "probe", "labels": labels, "arm": name, "draw": draw, "C": probe.c}
            yield row | {"gamma": probe.gamma, "accuracy": probe.accuracy(draw, test, test_y)}


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    task, rows = Task(definition, images), []
    parts = (tuning, autoencoders, without_network, by_divergence, interpretations, probes)
    for row in itertools.chain.from_iterable(part(task) for part in parts):
        rows.append(row)
        print(f"{time.perf_counter() - start:.0f} s", row, flush=True)
    path = write_result(
        "sparse",
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
