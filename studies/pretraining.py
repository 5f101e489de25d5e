"""Does unsupervised pretraining help a classifier? Nets x ways to start x numbers of labels.

For `chapters/unsupervised-pretraining`. Every seed has its own labelled images, its own
autoencoders and its own random weights, and all arms see the same labelled images: differences
are paired by seed. With the fewest labels the comparison of the easy network with itself and with
the SVM has thirty seeds, all others eight, the deep networks five.

All classifiers that are trained in all their layers get the same number of steps. Every arm's own
setting (learning rate, penalty, the SVM's two) is searched on a geometric grid without ends, on
the validation images, with label subsets and autoencoders that the results do not use: from a
common start, one step up and down, until all neighbours of the winner have been tried and none is
better. How the autoencoders are trained is not tuned: they are those of the book's chapters. The
test images are used once.

Run it with `python -m studies.pretraining` (about half an hour on one core), or `--quick`. An
interrupted run resumes.
"""

import itertools
import json
import math
import shutil
import tempfile
import time
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
    "easy": {"sizes": [784, 100, 30], "hidden": "gelu", "epochs": 3},
    # The same from images of which three pixels in ten are hidden.
    "denoising": {"sizes": [784, 100, 30], "hidden": "gelu", "epochs": 3, "hide": 0.3},
    # The network of 2006, pretrained one layer at a time.
    "deep": {
        **{"sizes": DEEP, "hidden": "sigmoid", "epochs": 2, "greedy": True},
        **{"learning_rate": 0.003, "batch_size": 256},
    },
    # The same depth with a modern activation: only from random weights.
    "deep gelu": {"sizes": DEEP, "hidden": "gelu", "epochs": 0},
}
# One part of the run after the other. An arm's way says what it does; those on frozen features name
# the features: an encoder's layer (-1: its code), or principal components.
PARTS = {
    "features": {
        "pixels + SVM": {"way": "svm"},
        "pixels + logistic regression": {"way": "frozen", "features": "pixels"},
        "PCA-30 + logistic regression": {"way": "frozen", "features": "PCA", "count": 30},
        "PCA-256 + logistic regression": {"way": "frozen", "features": "PCA", "count": 256},
    },
    "easy": {
        "easy random frozen": {"way": "frozen", "net": "easy", "start": "random", "layer": -1},
        "easy frozen": {"way": "frozen", "net": "easy", "start": "pretrained", "layer": -1},
        "easy random": {"way": "random", "net": "easy"},
        "easy fine-tuned": {"way": "fine-tuned", "net": "easy", "after": "easy frozen"},
    },
    "denoising": {
        "denoising frozen": {
            **{"way": "frozen", "net": "denoising", "start": "pretrained", "layer": -1},
        },
        "denoising fine-tuned": {
            **{"way": "fine-tuned", "net": "denoising", "after": "denoising frozen"},
        },
    },
    "deep": {
        "random-256 frozen": {"way": "frozen", "net": "deep", "start": "random", "layer": 0},
        "deep first layer frozen": {
            **{"way": "frozen", "net": "deep", "start": "pretrained", "layer": 0},
        },
        "deep frozen": {"way": "frozen", "net": "deep", "start": "pretrained", "layer": -1},
        "deep random": {"way": "random", "net": "deep"},
        "deep fine-tuned": {"way": "fine-tuned", "net": "deep", "after": "deep frozen"},
        "deep gelu random": {"way": "random", "net": "deep gelu"},
    },
}
ARMS = {arm: how for part in PARTS.values() for arm, how in part.items()}
COMPARISONS = [
    ["easy fine-tuned", "easy random"],
    ["easy fine-tuned", "easy frozen"],
    ["easy frozen", "easy random"],
    ["easy frozen", "easy random frozen"],
    ["easy frozen", "PCA-30 + logistic regression"],
    ["easy fine-tuned", "pixels + SVM"],
    ["easy random", "pixels + SVM"],
    ["easy frozen", "pixels + SVM"],
    ["easy fine-tuned", "pixels + logistic regression"],
    ["pixels + SVM", "pixels + logistic regression"],
    ["denoising frozen", "easy frozen"],
    ["denoising fine-tuned", "easy fine-tuned"],
    ["denoising fine-tuned", "easy random"],
    ["denoising fine-tuned", "pixels + SVM"],
    ["denoising fine-tuned", "pixels + logistic regression"],
    ["deep fine-tuned", "deep random"],
    ["deep fine-tuned", "deep gelu random"],
    ["deep fine-tuned", "easy fine-tuned"],
    ["deep fine-tuned", "pixels + SVM"],
    ["deep first layer frozen", "deep frozen"],
    ["deep first layer frozen", "PCA-256 + logistic regression"],
    ["deep first layer frozen", "random-256 frozen"],
    ["deep first layer frozen", "pixels + logistic regression"],
    ["deep first layer frozen", "pixels + SVM"],
    ["PCA-256 + logistic regression", "random-256 frozen"],
    ["PCA-256 + logistic regression", "PCA-30 + logistic regression"],
]
DEFINITION = {
    "nets": NETS,
    "parts": PARTS,
    "comparisons": COMPARISONS,
    "labels": [100, 500, 2000],
    "steps": 1000,
    "batch_size": 50,
    # Where the search of each kind of setting starts, and the factor of its steps.
    "searches": {
        "frozen": {"C": [0.3, 3]},
        "svm": {"C": [10, 3], "gamma": [1, 2]},
        "random": {"rate": [0.001, 3]},
        "fine-tuned": {"rate": [0.001, 3]},
    },
    "probe_seeds": 4,
    "probe_labels": 1000,
    "tuned_before_probe": 500,
    "tuning_share": 2 / 11,  # of the training images: labels for tuning and for the probes only
    "tuning_seeds": [1000, 1001],
    "seeds": [*range(8)],
    "deep_seeds": [*range(5)],
    "few_labels": 100,
    "few_labels_seeds": [*range(30)],
    "few_labels_arms": ["easy fine-tuned", "easy random", "pixels + SVM"],
    "images": None,
}
QUICK = DEFINITION | {
    "nets": NETS | {name: NETS[name] | {"sizes": [784, 40, 30]} for name in ("deep", "deep gelu")},
    "labels": [100],
    "steps": 3,
    "probe_seeds": 2,
    "probe_labels": 100,
    "tuned_before_probe": 100,
    "tuning_seeds": [1000],
    "seeds": [0, 1],
    "deep_seeds": [0, 1],
    "few_labels_seeds": [0, 1],
    "images": 400,
}


# Pretraining, and the weights that a classifier starts from.


def activations(net):
    """Return the activations of an encoder's layers; that of the code is linear."""
    return [net["hidden"]] * (len(net["sizes"]) - 2) + ["linear"]


def encoder_layers(net):
    """Return the layers of a net's encoder, not built yet."""
    return [
        layers.Dense(units, activation=activation)
        for units, activation in zip(net["sizes"][1:], activations(net), strict=True)
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
    hide = [layers.Dropout(net["hide"])] if "hide" in net else []
    model = keras.Sequential([keras.Input((784,)), *hide, *encoder, *decoder, layers.Dense(784)])
    fit(model, x, epochs=net["epochs"], verbose=False)
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
    for k, activation in enumerate(activations(net)):
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
    return LogisticRegression(C=c, max_iter=300, tol=1e-3).fit(x, y)


def scaled(x):
    """Return the mean of each feature, and one scale for all of them."""
    return x.mean(axis=0), np.sqrt(x.var(axis=0).mean())


def linear_head(x, y, c):
    """Fit a classifier's last layer on frozen features; return its kernel and bias.

    The problem is convex: every way to train the layer leads here.
    """
    mean, scale = scaled(x)
    model = logistic((x - mean) / scale, y, c)
    kernel, bias = np.zeros((x.shape[1], 10)), np.full(10, -10.0)  # for a class without label
    kernel[:, model.classes_] = model.coef_.T / scale
    bias[model.classes_] = model.intercept_
    return kernel.astype("float32"), (bias - mean @ kernel).astype("float32")


def right(head, x, y):
    """Return for each image whether a linear head on its features is right."""
    kernel, bias = head
    return np.argmax(x @ kernel + bias, axis=1) == y


# The experiment.


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


class Shared:
    """What all seeds of a part share: the images, a trainer for each net, the components."""

    def __init__(self, definition, data, part):
        self.definition, self.data, self.arms = definition, data, definition["parts"][part]
        names = dict.fromkeys(how["net"] for how in self.arms.values() if "net" in how)
        self.nets = {name: definition["nets"][name] for name in names}
        self.trainers = {
            name: Trainer(net, definition["batch_size"]) for name, net in self.nets.items()
        }
        counts = [how["count"] for how in self.arms.values() if "count" in how]
        if counts:
            self.pca = PCA(max(counts), svd_solver="covariance_eigh").fit(data.x)


class SeedRun:
    """What all arms of one seed share: labelled images, pretrained nets, random weights."""

    def __init__(self, shared, seed, pool):
        self.shared, self.data, self.seed = shared, shared.data, seed
        self.order = np.random.default_rng(seed).permutation(pool)  # n labels: the first n
        self.start = {
            (name, "pretrained"): pretrain(net, self.data.x, seed)
            for name, net in shared.nets.items()
            if net["epochs"]
        }
        self.start |= {
            (name, "random"): random_start(net, seed) for name, net in shared.nets.items()
        }

    def features(self, how, x):
        """Return the features that a frozen arm classifies."""
        if how.get("features") == "pixels":
            return x
        if how.get("features") == "PCA":
            return self.shared.pca.transform(x)[:, : how["count"]]
        net, weights = self.shared.nets[how["net"]], self.start[how["net"], how["start"]]
        return representations(net, weights, x)[how["layer"]]

    def labelled(self, n):
        """Return the first n labelled images of this seed, and their labels."""
        chosen = self.order[:n]
        return self.data.x[chosen], self.data.y[chosen]

    def correct(self, arm, n, split, setting, settings):
        """Train one arm on n labels; return for each image of a split whether it is right."""
        how, (x, y), (x_test, y_test) = (
            self.shared.arms[arm],
            self.labelled(n),
            self.data.splits[split],
        )
        if how["way"] == "svm":
            gamma = setting["gamma"] / (x.shape[1] * x.var())  # 1: scikit-learn's "scale"
            model = SVC(C=setting["C"], kernel="precomputed").fit(rbf_kernel(x, x, gamma), y)
            return model.predict(rbf_kernel(x_test, x, gamma)) == y_test
        if how["way"] == "frozen":
            head = linear_head(self.features(how, x), y, setting["C"])
            return right(head, self.features(how, x_test), y_test)
        model = self.train(arm, n, setting, settings)
        return np.argmax(model(x_test), axis=1) == y_test

    def train(self, arm, n, setting, settings):
        """Train a net whole, from random weights, or from a pretrained encoder and its head."""
        how, (x, y) = self.shared.arms[arm], self.labelled(n)
        if how["way"] == "random":
            weights = self.start[how["net"], "random"]
        else:
            codes = self.features(self.shared.arms[how["after"]], x)
            head = linear_head(codes, y, settings[how["after"], n]["C"])
            weights = [*self.start[how["net"], "pretrained"], *head]
        steps = self.shared.definition["steps"]
        return self.shared.trainers[how["net"]].run(
            weights, x, y, steps=steps, rate=setting["rate"], seed=self.seed
        )

    def probes(self, net, settings):
        """Return the accuracy of a linear probe on every layer, with labels of their own."""
        definition, data, pool = self.shared.definition, self.data, self.data.tuning_pool
        some = np.random.default_rng(self.seed).permutation(pool)[: definition["probe_labels"]]
        x_test, y_test = data.splits["test"]
        arm, n = f"{net} fine-tuned", definition["tuned_before_probe"]
        starts = {start: self.start[net, start] for start in ("random", "pretrained")}
        starts["fine-tuned"] = self.train(arm, n, settings[arm, n], settings).get_weights()
        rows = []
        for start, weights in starts.items():
            inside = [data.x[some], *representations(self.shared.nets[net], weights, data.x[some])]
            outside = [x_test, *representations(self.shared.nets[net], weights, x_test)]
            for layer, (a, b) in enumerate(zip(inside, outside, strict=True)):
                accuracy = np.mean(right(linear_head(a, data.y[some], 1), b, y_test))
                rows.append(
                    {
                        **{"part": "probe", "net": net, "start": start, "layer": layer},
                        **{"seed": self.seed, "accuracy": float(accuracy)},
                    }
                )
        return rows


def search(score, kinds):
    """Walk up a geometric grid without ends until no neighbour is better.

    Args:
        score: function of a setting (dict of floats) that returns a list of accuracies, by seed.
        kinds: dict, for each value of a setting where the walk starts and the factor of a step.

    Returns:
        The best setting, and a list of (setting, accuracies) with all that was tried; all the
        neighbours of the best are among them.
    """

    def setting(point):
        return {k: s * f**i for (k, (s, f)), i in zip(kinds.items(), point, strict=True)}

    tried, best, moved = {}, (0,) * len(kinds), True
    while moved:
        around = [best]
        for axis, step in itertools.product(range(len(best)), (-1, 1)):
            around.append(tuple(i + step * (k == axis) for k, i in enumerate(best)))
        for point in around:
            if point not in tried:
                tried[point] = score(setting(point))
        winner = max(tried, key=lambda point: np.mean(tried[point]))
        moved = np.mean(tried[winner]) > np.mean(tried[best])
        best = winner if moved else best
    return setting(best), [(setting(point), scores) for point, scores in tried.items()]


def tune(shared):
    """Choose each arm's setting for each number of labels on validation images."""
    definition, settings, rows = shared.definition, {}, []
    runs = [SeedRun(shared, s, shared.data.tuning_pool) for s in definition["tuning_seeds"]]
    for (arm, how), n in itertools.product(shared.arms.items(), definition["labels"]):

        def score(setting, arm=arm, n=n):
            found = [run.correct(arm, n, "valid", setting, settings) for run in runs]
            return [float(np.mean(correct)) for correct in found]

        settings[arm, n], tried = search(score, definition["searches"][how["way"]])
        rows += [
            {"part": "tuning", "arm": arm, "labels": n, **setting, "accuracy": accuracies}
            for setting, accuracies in tried
        ]
        print(f"  {arm}, {n}: {settings[arm, n]} of {len(tried)}", flush=True)
    return settings, rows


def compare(first, second):
    """Return the mean difference of two arms with its 95 % interval's half width.

    Args:
        first: bool array (seeds, test images), True where a classifier was right.
        second: the same for the other arm.

    Returns:
        A dict of floats, as shares of the test images, and the number of seeds.

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
        "seeds": len(by_seed),
        "difference": float(by_seed.mean()),
        "half_width": float(half),
        "seeds_error": float(seeds_error),
        "images_error": float(images_error),
    }


def seeds_of(definition, part, arm, n):
    """Return the seeds that an arm's result with n labels has."""
    if n == definition["few_labels"] and arm in definition["few_labels_arms"]:
        return definition["few_labels_seeds"]
    return definition["deep_seeds" if part == "deep" else "seeds"]


def compute_part(definition, data, part):
    """Return a part's settings, its rows, and which test images each arm has right, in hex."""
    shared = Shared(definition, data, part)
    settings, rows = tune(shared)
    packed = {f"{arm}, {n}": [] for arm in shared.arms for n in definition["labels"]}
    todo = {
        (arm, n): seeds_of(definition, part, arm, n)
        for arm in shared.arms
        for n in definition["labels"]
    }
    for seed in sorted(set().union(*todo.values())):
        run = SeedRun(shared, seed, data.pool)
        for (arm, n), seeds in todo.items():
            if seed in seeds:
                correct = run.correct(arm, n, "test", settings[arm, n], settings)
                packed[f"{arm}, {n}"].append(np.packbits(correct).tobytes().hex())
                row = {"part": "accuracy", "arm": arm, "labels": n, "seed": seed}
                rows.append(row | {"accuracy": float(np.mean(correct))})
        if part in ("easy", "deep") and seed < definition["probe_seeds"]:
            rows += run.probes(part, settings)
        print(f"  {part}, seed {seed}", flush=True)
    return [[[*key, setting] for key, setting in settings.items()], rows, packed]


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


def parts_folder(definition):
    """Return the folder where the parts of a run outlive it, for this code and definition."""
    return Path(tempfile.gettempdir()) / f"{NAME}-{definition_hash(NAME, definition)[:12]}"


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    data = Data(definition)
    settings, rows, packed, total_seconds = [], [], {}, 0
    with tempfile.TemporaryDirectory() as fresh:
        folder = Path(fresh) if options.quick else parts_folder(definition)
        folder.mkdir(exist_ok=True)
        for part in definition["parts"]:

            def compute(part=part):
                return compute_part(definition, data, part)

            (found, part_rows, part_packed), seconds = load_or_compute(folder, part, compute)
            settings, rows = [*settings, *found], [*rows, *part_rows]
            packed |= part_packed
            total_seconds += seconds

    def correct_images(arm, n, count):
        bits = [np.frombuffer(bytes.fromhex(x), np.uint8) for x in packed[f"{arm}, {n}"][:count]]
        return np.array([np.unpackbits(b)[: len(data.splits["test"][1])] for b in bits], bool)

    differences = []
    for (a, b), n in itertools.product(definition["comparisons"], definition["labels"]):
        count = min(len(packed[f"{arm}, {n}"]) for arm in (a, b))  # the seeds that both have
        found = compare(correct_images(a, n, count), correct_images(b, n, count))
        differences.append({"arms": [a, b], "labels": n} | found)
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
        settings=[{"arm": arm, "labels": n} | s for arm, n, s in settings],
        differences=differences,
    )
    if not options.quick:
        shutil.rmtree(folder)
    print(f"{len(rows)} rows in {total_seconds:.0f} s: {path}")


if __name__ == "__main__":
    main()
