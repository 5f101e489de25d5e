"""Does unsupervised pretraining help a classifier? Nets x ways to start x numbers of labels.

For `chapters/unsupervised-pretraining`. Every seed has its own labelled images, its own
autoencoders and its own random weights, and all arms see the same labelled images: differences
are paired by seed. Settings are chosen on the validation images, with label subsets and
autoencoders that the results do not use; the test images are used once.

Run it with `python -m studies.pretraining` (about 25 minutes on one core), or `--quick`. An
interrupted run resumes.
"""

import itertools
import json
import math
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from scipy.stats import t as student_t
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC

from helpers import fit, load_images
from studies.common import arguments, definition_hash, write_result

NAME = "pretraining"
DEEP = [784, 256, 192, 128, 96, 64, 30]
NETS = {
    # The book's encoder, trained whole with the defaults of `fit`.
    "easy": {"sizes": [784, 100, 30], "hidden": "gelu", "code": "linear", "epochs": 3},
    # The common recipe, ReLU everywhere, the code included.
    "relu": {
        **{"sizes": [784, 100, 30], "hidden": "relu", "code": "relu", "epochs": 3},
        **{"optimizer": "nadam", "batch_size": 32},
    },
    # The network of 2006, pretrained one layer at a time.
    "deep": {
        **{"sizes": DEEP, "hidden": "sigmoid", "code": "linear", "epochs": 2, "greedy": True},
        **{"learning_rate": 0.003, "batch_size": 256},
    },
    # The same depth with a modern activation: only from random weights.
    "deep gelu": {"sizes": DEEP, "hidden": "gelu", "code": "linear", "epochs": 0},
}
C = [0.03, 0.1, 0.3, 1, 3]
SHALLOW_GRID = [
    {"steps": steps, "rate": rate}
    for steps, rates in ((300, (0.001, 0.003)), (1000, (0.0003, 0.001, 0.003)), (3000, (0.001,)))
    for rate in rates
]
GRIDS = {
    "codes": [{"C": c, "whiten": whiten} for c in C for whiten in (False, True)],
    "logistic": [{"C": c} for c in (0.03, 0.1, 0.3, 1)],
    "svm": [{"C": c, "gamma": gamma} for c in (3, 10, 30) for gamma in (0.5, 1, 2)],
    "easy": SHALLOW_GRID,
    "relu": SHALLOW_GRID,
    "deep": [{"steps": 3000, "rate": rate} for rate in (0.001, 0.003, 0.01)],
    "deep gelu": [{"steps": 1000, "rate": rate} for rate in (0.0003, 0.001, 0.003)],
}
# From an arm's name to the grid of its settings.
ARMS = {
    "pixels + logistic regression": "logistic",
    "pixels + SVM": "svm",
    "PCA-30 + logistic regression": "codes",
    "easy random frozen": "codes",
    "easy frozen": "codes",
    "easy random": "easy",
    "easy fine-tuned": "easy",
    "relu frozen": "codes",
    "relu random": "relu",
    "relu fine-tuned": "relu",
    "deep frozen": "codes",
    "deep random": "deep",
    "deep fine-tuned": "deep",
    "deep gelu random": "deep gelu",
}
COMPARISONS = [
    ["easy fine-tuned", "easy random"],
    ["easy frozen", "easy random frozen"],
    ["easy frozen", "PCA-30 + logistic regression"],
    ["easy frozen", "easy random"],
    ["easy fine-tuned", "easy frozen"],
    ["easy fine-tuned", "pixels + SVM"],
    ["easy random", "pixels + SVM"],
    ["easy frozen", "pixels + SVM"],
    ["pixels + logistic regression", "pixels + SVM"],
    ["relu fine-tuned", "relu random"],
    ["relu fine-tuned", "easy fine-tuned"],
    ["relu random", "easy random"],
    ["relu frozen", "easy frozen"],
    ["deep fine-tuned", "deep random"],
    ["deep fine-tuned", "deep gelu random"],
    ["deep fine-tuned", "easy fine-tuned"],
    ["deep fine-tuned", "pixels + SVM"],
]
DEFINITION = {
    "nets": NETS,
    "arms": ARMS,
    "grids": GRIDS,
    "comparisons": COMPARISONS,
    "labels": [100, 500, 1000, 5000],
    "batch_size": 50,
    "tuned_before_probe": 500,
    "probe_labels": 1000,
    "tuning_share": 2 / 11,  # of the training images: labels for tuning and for the probes only
    "tuning_seeds": [1000, 1001],
    "seeds": [*range(8)],
    "images": None,
}
QUICK = DEFINITION | {
    "nets": NETS | {name: NETS[name] | {"sizes": [784, 40, 30]} for name in ("deep", "deep gelu")},
    "grids": {
        "codes": GRIDS["codes"][:2],
        "logistic": GRIDS["logistic"][:2],
        "svm": GRIDS["svm"][:2],
        **{net: [{"steps": 2, "rate": 0.001}, {"steps": 3, "rate": 0.003}] for net in NETS},
    },
    "labels": [60, 100],
    "tuned_before_probe": 100,
    "probe_labels": 100,
    "tuning_seeds": [1000],
    "seeds": [0, 1],
    "images": 600,
}


# Pretraining, and the weights that a classifier starts from.


def encoder_layers(net):
    """Return the layers of a net's encoder, not built yet."""
    sizes = net["sizes"]
    activations = [net["hidden"]] * (len(sizes) - 2) + [net["code"]]
    return [
        layers.Dense(units, activation=activation)
        for units, activation in zip(sizes[1:], activations, strict=True)
    ]


def weights_of(chain):
    """Return the weights of a list of layers, flat, as `set_weights` wants them."""
    return [weight for layer in chain for weight in layer.get_weights()]


def pretrain(net, x, seed):
    """Train the net's autoencoder on unlabelled images; return its encoder's weights."""
    keras.utils.set_random_seed(seed)
    if net.get("greedy"):
        return pretrain_greedily(net, x)
    encoder, sizes = encoder_layers(net), net["sizes"]
    decoder = [layers.Dense(n, activation=net["hidden"]) for n in sizes[-2:0:-1]]
    model = keras.Sequential([keras.Input((784,)), *encoder, *decoder, layers.Dense(784)])
    options = {"epochs": net["epochs"], "verbose": False}
    if "optimizer" in net:
        model.compile(loss="mse", optimizer=net["optimizer"])
        options["batch_size"] = net["batch_size"]
    fit(model, x, **options)
    return weights_of(encoder)


def pretrain_greedily(net, x):
    """Train one shallow autoencoder after the other; return the weights of the encoder."""
    encoder, sizes = encoder_layers(net), net["sizes"]
    for k, layer in enumerate(encoder):
        back = layers.Dense(sizes[k], activation="sigmoid" if k == 0 else net["hidden"])
        shallow = keras.Sequential([keras.Input((sizes[k],)), layer, back])
        steps = math.ceil(len(x) / net["batch_size"]) * net["epochs"]
        schedule = keras.optimizers.schedules.CosineDecay(net["learning_rate"], steps)
        shallow.compile(loss="mse", optimizer=keras.optimizers.Adam(schedule))
        fit(shallow, x, epochs=net["epochs"], batch_size=net["batch_size"], verbose=False)
        x = np.concatenate([np.asarray(layer(x[i : i + 5000])) for i in range(0, len(x), 5000)])
    return weights_of(encoder)


def random_start(net, seed):
    """Return the weights of a classifier that has seen nothing."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((784,)), *encoder_layers(net), layers.Dense(10)])
    return model.get_weights()


def representations(net, weights, x):
    """Return what each layer of an encoder makes of the images, the code last."""
    found = []
    for k in range(len(net["sizes"]) - 1):
        activation = net["code"] if k == len(net["sizes"]) - 2 else net["hidden"]
        x = np.asarray(keras.activations.get(activation)(x @ weights[2 * k] + weights[2 * k + 1]))
        found.append(x)
    return found


class Trainer:
    """A classifier that is compiled once and trained many times, each time from given weights."""

    def __init__(self, net, batch_size):
        self.batch_size = batch_size
        self.model = keras.Sequential([keras.Input((784,)), *encoder_layers(net), layers.Dense(10)])
        self.optimizer = keras.optimizers.Adam()
        self.optimizer.build(self.model.trainable_variables)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 784]),
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([None, None], tf.int32),
                tf.TensorSpec([]),
            ]
        )
        def train(x, y, batches, rate):
            steps = tf.shape(batches)[0]
            for step in tf.range(steps):
                batch = batches[step]
                with tf.GradientTape() as tape:
                    value = loss(tf.gather(y, batch), self.model(tf.gather(x, batch)))
                progress = tf.cast(step, tf.float32) / tf.cast(steps, tf.float32)
                self.optimizer.learning_rate.assign(rate * (1 + tf.cos(math.pi * progress)) / 2)
                variables = self.model.trainable_variables
                self.optimizer.apply(tape.gradient(value, variables))

        self.train = train

    def run(self, weights, x, y, *, steps, rate, seed):
        """Train all layers from `weights`: Adam, cosine decay, shuffled batches; return the model."""
        self.model.set_weights(weights)
        for variable in self.optimizer.variables:
            variable.assign(tf.zeros_like(variable))
        size = min(self.batch_size, len(x))
        rng = np.random.default_rng(seed)
        epochs = math.ceil(steps * size / len(x))
        order = np.concatenate([rng.permutation(len(x)) for _ in range(epochs)])
        batches = order[: steps * size].reshape(steps, size)
        self.train(x, y.astype("int32"), batches.astype("int32"), np.float32(rate))
        return self.model


def logistic(x, y, c):
    """Fit logistic regression with the L2 penalty's inverse strength c."""
    return LogisticRegression(C=c, max_iter=2000).fit(x, y)


def scaled(codes, whiten):
    """Return the mean and the scale (one for all, or one for each unit) that normalise codes."""
    mean = codes.mean(axis=0)
    scale = codes.std(axis=0) if whiten else np.sqrt(codes.var(axis=0).mean())
    return mean, np.maximum(scale, 1e-6)  # a dead unit has no scale


def head_on_codes(codes, y, setting):
    """Fit the classifier's last layer on frozen codes; return its kernel and bias.

    The problem is convex: every way to train the layer leads here.
    """
    mean, scale = scaled(codes, setting["whiten"])
    model = logistic((codes - mean) / scale, y, setting["C"])
    kernel, bias = np.zeros((codes.shape[1], 10)), np.full(10, -10.0)  # for a class without label
    kernel[:, model.classes_] = model.coef_.T
    bias[model.classes_] = model.intercept_
    kernel = kernel / np.broadcast_to(scale, mean.shape)[:, None]
    return kernel.astype("float32"), (bias - mean @ kernel).astype("float32")


def linear_probe(x, y, x_test, y_test):
    """Return the test accuracy of logistic regression on a representation."""
    mean, scale = scaled(x, whiten=False)
    model = logistic((x - mean) / scale, y, 1)
    return float(np.mean(model.predict((x_test - mean) / scale) == y_test))


# The experiment.


class SeedRun:
    """What all arms of one seed share: labelled images, pretrained nets, random weights."""

    def __init__(self, shared, seed, pool):
        self.shared, self.data, self.nets = shared, shared.data, shared.definition["nets"]
        self.seed = seed
        self.order = np.random.default_rng(seed).permutation(pool)  # n labels: the first n
        self.start = {
            (name, "pretrained"): pretrain(net, self.data.x, seed)
            for name, net in self.nets.items()
            if net["epochs"]
        }
        self.start |= {(name, "random"): random_start(net, seed) for name, net in self.nets.items()}

    def codes(self, arm, x):
        """Return the codes that a frozen arm classifies."""
        if arm.startswith("PCA"):
            return self.shared.pca.transform(x)
        name = arm.split()[0]
        start = "random" if "random" in arm else "pretrained"
        return representations(self.nets[name], self.start[name, start], x)[-1]

    def correct(self, arm, n, split, setting, frozen_setting=None):
        """Train one arm on n labels; return for each image of a split whether it is right."""
        x_test, y_test = self.data.splits[split]
        chosen = self.order[:n]
        x, y = self.data.x[chosen], self.data.y[chosen]
        if arm == "pixels + logistic regression":
            return logistic(x, y, setting["C"]).predict(x_test) == y_test
        if arm == "pixels + SVM":
            gamma = setting["gamma"] / (x.shape[1] * x.var())  # 1: scikit-learn's "scale"
            model = SVC(C=setting["C"], kernel="precomputed").fit(rbf_kernel(x, x, gamma), y)
            return model.predict(rbf_kernel(x_test, x, gamma)) == y_test
        if ARMS[arm] == "codes":
            kernel, bias = head_on_codes(self.codes(arm, x), y, setting)
            return np.argmax(self.codes(arm, x_test) @ kernel + bias, axis=1) == y_test
        model = self.train(arm, x, y, setting, frozen_setting)
        return np.argmax(model(x_test), axis=1) == y_test

    def train(self, arm, x, y, setting, frozen_setting):
        """Train a net whole, from random weights, or from a pretrained encoder and its head."""
        name, way = arm.rsplit(maxsplit=1)
        if way == "random":
            weights = self.start[name, "random"]
        else:
            codes = self.codes(f"{name} frozen", x)
            weights = [*self.start[name, "pretrained"], *head_on_codes(codes, y, frozen_setting)]
        return self.shared.trainers[name].run(weights, x, y, **setting, seed=self.seed)

    def probes(self, settings):
        """Yield the accuracy of a linear probe on every layer, with labels of their own."""
        definition, data, pool = self.shared.definition, self.data, self.data.tuning_pool
        some = np.random.default_rng(self.seed).permutation(pool)[: definition["probe_labels"]]
        x, y = data.x[some], data.y[some]
        x_test, y_test = data.splits["test"]
        n = definition["tuned_before_probe"]
        chosen = self.order[:n]
        found = {
            (name, start): weights
            for (name, start), weights in self.start.items()
            if name != "deep gelu"
        }
        for name in ("easy", "relu", "deep"):
            arm, frozen = f"{name} fine-tuned", settings[f"{name} frozen", n]
            model = self.train(arm, data.x[chosen], data.y[chosen], settings[arm, n], frozen)
            found[name, "fine-tuned"] = model.get_weights()
        yield "pixels", "", 0, linear_probe(x, y, x_test, y_test)
        for (name, start), weights in found.items():
            inside = representations(self.nets[name], weights, x)
            outside = representations(self.nets[name], weights, x_test)
            for k, (a, b) in enumerate(zip(inside, outside, strict=True), 1):
                yield name, start, k, linear_probe(a, y, b, y_test)


def tune(definition, seed_runs):
    """Choose each arm's setting for each number of labels on validation images."""
    settings, rows = {}, []
    for arm, n in itertools.product(definition["arms"], definition["labels"]):
        frozen = settings.get((arm.replace("fine-tuned", "frozen"), n))
        scores = []
        for setting in definition["grids"][definition["arms"][arm]]:
            scores.append(
                [float(np.mean(run.correct(arm, n, "valid", setting, frozen))) for run in seed_runs]
            )
            rows.append(
                {"part": "tuning", "arm": arm, "labels": n, **setting, "accuracy": scores[-1]}
            )
        best = int(np.argmax(np.mean(scores, axis=1)))
        settings[arm, n] = definition["grids"][definition["arms"][arm]][best]
        print(f"  {arm}, {n}: {settings[arm, n]}  {np.mean(scores[best]):.4f}", flush=True)
    return settings, rows


def compare(first, second):
    """Return the mean difference of two arms with its 95 % interval's half width.

    Args:
        first: bool array (seeds, test images), True where a classifier was right.
        second: the same for the other arm.

    Returns:
        A dict of floats, as shares of the test images.

    The interval is for other labelled images, other random weights and other test images at once:
    the two variances of the mean, over seeds and over test images, are added, and Student's t has
    as many degrees of freedom as there are seeds less one. (What both share is counted twice, so
    the interval is a little too wide.)
    """
    difference = first.astype(float) - second
    by_seed, by_image = difference.mean(axis=1), difference.mean(axis=0)
    seeds_error = by_seed.std(ddof=1) / math.sqrt(len(by_seed))
    images_error = by_image.std(ddof=1) / math.sqrt(len(by_image))
    half = student_t.ppf(0.975, len(by_seed) - 1) * math.hypot(seeds_error, images_error)
    return {
        "difference": float(by_seed.mean()),
        "half_width": float(half),
        "seeds_error": float(seeds_error),
        "images_error": float(images_error),
    }


@dataclass
class Shared:
    """What all seeds share."""

    definition: dict
    data: object
    trainers: dict
    pca: PCA


class Data:
    """The images as rows of pixels, with the pools of training images for results and tuning."""

    def __init__(self, definition):
        images = load_images()
        limit = definition["images"]
        self.name = images.name
        self.splits = {
            name: (x.reshape(len(x), -1)[:limit], y[:limit].astype(int))
            for name, x, y in (
                ("train", images.x_train, images.y_train),
                ("valid", images.x_valid, images.y_valid),
                ("test", images.x_test, images.y_test),
            )
        }
        self.x, self.y = self.splits["train"]
        cut = len(self.x) - int(len(self.x) * definition["tuning_share"])
        self.pool, self.tuning_pool = np.arange(cut), np.arange(cut, len(self.x))


def one_seed(seed_run, settings):
    """Return all rows of one seed, and which test images each arm has right, packed in hex."""
    definition, rows, packed = seed_run.shared.definition, [], {}
    for arm, n in itertools.product(definition["arms"], definition["labels"]):
        frozen = settings.get((arm.replace("fine-tuned", "frozen"), n))
        correct = seed_run.correct(arm, n, "test", settings[arm, n], frozen)
        packed[f"{arm}, {n}"] = np.packbits(correct).tobytes().hex()
        rows.append(
            {
                **{"part": "accuracy", "arm": arm, "labels": n, "seed": seed_run.seed},
                "accuracy": float(np.mean(correct)),
            }
        )
    for name, net in definition["nets"].items():
        if net["epochs"]:
            codes = seed_run.codes(f"{name} frozen", seed_run.data.splits["valid"][0])
            dead = int(np.sum(codes.max(axis=0) == codes.min(axis=0)))
            rows.append({"part": "dead", "net": name, "seed": seed_run.seed, "dead_units": dead})
    for net, start, layer, accuracy in seed_run.probes(settings):
        rows.append(
            {
                **{"part": "probe", "net": net, "start": start, "layer": layer},
                **{"seed": seed_run.seed, "accuracy": accuracy},
            }
        )
    return rows, packed


def load_or_compute(folder, name, compute):
    """Return a part of the run, and the seconds it took, from its file if an earlier run left one."""
    path = folder / f"{name}.json"
    if not path.exists():
        start = time.perf_counter()
        value = compute()
        content = json.dumps({"value": value, "seconds": time.perf_counter() - start})
        partial = path.with_suffix(".part")
        partial.write_text(content)
        partial.replace(path)
    content = json.loads(path.read_text())
    print(f"{name}: {content['seconds']:.0f} s", flush=True)
    return content["value"], content["seconds"]


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    data = Data(definition)
    pca = PCA(30, svd_solver="covariance_eigh").fit(data.x)
    trainers = {
        name: Trainer(net, definition["batch_size"]) for name, net in definition["nets"].items()
    }
    shared = Shared(definition, data, trainers, pca)
    total_seconds = time.perf_counter() - start

    def tuning():
        seed_runs = [SeedRun(shared, seed, data.tuning_pool) for seed in definition["tuning_seeds"]]
        settings, rows = tune(definition, seed_runs)
        return [[[*key, setting] for key, setting in settings.items()], rows]

    with tempfile.TemporaryDirectory() as fresh:
        folder = Path(fresh)
        if not options.quick:  # parts of a run outlive it, for the same code and definition
            folder = folder.parent / f"{NAME}-{definition_hash(NAME, definition)[:12]}"
            folder.mkdir(exist_ok=True)
        (settings, rows), seconds = load_or_compute(folder, "tuning", tuning)
        settings = {(arm, n): setting for arm, n, setting in settings}
        total_seconds, packed_by_seed = total_seconds + seconds, []
        for seed in definition["seeds"]:

            def result(seed=seed):
                return one_seed(SeedRun(shared, seed, data.pool), settings)

            (seed_rows, packed), seconds = load_or_compute(folder, f"seed {seed}", result)
            rows = [*rows, *seed_rows]
            packed_by_seed = [*packed_by_seed, packed]
            total_seconds += seconds

    def correct_images(key):
        images = len(data.splits["test"][1])
        bits = [np.frombuffer(bytes.fromhex(packed[key]), np.uint8) for packed in packed_by_seed]
        return np.array([np.unpackbits(b)[:images] for b in bits], bool)

    differences = [
        {"arms": [a, b], "labels": n}
        | compare(correct_images(f"{a}, {n}"), correct_images(f"{b}, {n}"))
        for a, b in definition["comparisons"]
        for n in definition["labels"]
    ]
    path = write_result(
        NAME,
        definition,
        rows,
        total_seconds,
        folder=options.out,
        quick=options.quick,
        data={
            **{"name": data.name, "train": len(data.x), "label_pool": len(data.pool)},
            **{name: len(data.splits[name][1]) for name in ("valid", "test")},
        },
        settings=[{"arm": arm, "labels": n} | s for (arm, n), s in settings.items()],
        differences=differences,
    )
    if not options.quick:
        shutil.rmtree(folder)
    print(f"{len(rows)} rows in {total_seconds:.0f} s: {path}")


if __name__ == "__main__":
    main()
