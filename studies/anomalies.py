"""Which alarm notices a class that it has never seen? Autoencoders against tuned classical rivals.

For `chapters/stacked-autoencoder`. Ten tasks: train without one class, then rank test images by how
strange they are; the measure is the AUROC of the left-out class against the nine others. Every
family has its size (components, code) chosen by the mean AUROC over the ten tasks on validation
images, the networks with a seed that the results do not use; the test images are used for the
results only. The best size for each task *on the test images* is noted as well, as an oracle that
no honest choice can beat. The second part is the cautionary tale: scikit-learn's digits, padded
with a dark frame, against clothes.

Budget: the networks see the images as often as in the chapter (`epochs`), with its recipe.
Run it with `python -m studies.anomalies`, or `--quick`.
"""

import time

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from helpers import fit, load_images
from studies.common import arguments, write_result

DEFINITION = {
    "components": [1, 2, 4, 8, 16, 30, 64, 128, 256, 400, 600],
    "networks": {
        # The chapter's autoencoder and its deeper one, with their own epochs and batches.
        # The results are those of the chosen code and, `also`, of the chapter's.
        "784-100-k": {
            **{"widths": [100], "codes": [2, 4, 8, 16, 30, 64], "also": [30]},
            **{"epochs": 1, "batch": 128},
        },
        "784-512-256-k": {
            **{"widths": [512, 256], "codes": [30], "also": []},  # too slow for a sweep
            **{"epochs": 2, "batch": 400},
        },
    },
    "digits": {"codes": [8, 30], "epochs": 3},
    "tasks": [*range(10)],
    "tuning_seed": 100,
    "seeds": [0, 1, 2],
    "images": None,
}
QUICK = DEFINITION | {
    "components": [1, 4, 16],
    "networks": {
        "784-100-k": {"widths": [100], "codes": [4], "also": [], "epochs": 1, "batch": 128}
    },
    "tasks": [0, 8],
    "seeds": [0],
    "images": 1000,
}


def gaussian_scores(x, queries, components):
    """Return how strange the queries are to PCA and to a Gaussian fitted to the same images.

    Args:
        x: float32 array (n, 784), the training images.
        queries: float32 array (m, 784).
        components: list of int, numbers of components.

    Returns:
        A dict from (family, k) to an array (m,), larger for a stranger image: `PCA`, the squared
        reconstruction error with k components; `Mahalanobis`, the distance within the k scores;
        `Gaussian`, both with their own variances, -2 log likelihood of probabilistic PCA but for a
        constant (Tipping & Bishop 1999).
    """
    mean = x.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov(x - mean, rowvar=False).astype("float64"))
    variances, axes = np.maximum(variances[::-1], 1e-9), axes[:, ::-1]
    squares = np.square((queries - mean) @ axes)
    kept, whitened = np.cumsum(squares, axis=1), np.cumsum(squares / variances, axis=1)
    found = {}
    for k in components:
        residual = kept[:, -1] - kept[:, k - 1]
        found["PCA", k] = residual
        found["Mahalanobis", k] = whitened[:, k - 1]
        found["Gaussian", k] = whitened[:, k - 1] + residual / variances[k:].mean()
    return found


def nearest_by_class(x, y, queries):
    """Return, per query and class, the squared distance to the nearest training image (m, 10)."""
    nearest = np.full((len(queries), 10), np.inf, "float32")
    for label in range(10):
        known = x[y == label]
        lengths = np.square(known).sum(axis=1)
        for i in range(0, len(queries), 1000):
            part = queries[i : i + 1000]
            cross = lengths - 2 * part @ known.T
            nearest[i : i + 1000, label] = cross.min(axis=1, initial=np.inf)
    return nearest + np.square(queries).sum(axis=1)[:, None]


def frame_sum(x):
    """Return the sum of the outer two rows and columns of pixels."""
    pictures = x.reshape(-1, 28, 28)
    return x.sum(axis=1) - pictures[:, 2:-2, 2:-2].sum(axis=(1, 2))


def pixel_scores(x, queries, nearest):
    """Return the scores that need no model: frame, ink, mean image, nearest training image."""
    frames, ink = frame_sum(x), x.sum(axis=1)
    return {
        ("frame, dark", 0): -frame_sum(queries),
        ("frame, unusual", 0): np.abs(frame_sum(queries) - frames.mean()),
        ("ink, unusual", 0): np.abs(queries.sum(axis=1) - ink.mean()),
        ("mean image", 0): np.square(queries - x.mean(axis=0)).sum(axis=1),
        ("nearest neighbour", 0): nearest,
    }


def network_scores(x, queries, *, widths, code, seed, epochs, batch):
    """Train the book's autoencoder; return each query's reconstruction error."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((784,)),
            *[layers.Dense(width, "gelu") for width in widths],
            layers.Dense(code),
            *[layers.Dense(width, "gelu") for width in reversed(widths)],
            layers.Dense(784),
        ]
    )
    fit(model, x, epochs=epochs, batch_size=batch, verbose=False)
    drawn = model.predict(queries, batch_size=1000, verbose=0)
    return np.square(queries - drawn).sum(axis=1)


def digits_as_images():
    """Return scikit-learn's digits as 28×28 images in [0, 1], 2 dark pixels around 24×24."""
    small = load_digits().images.astype("float32") / 16
    grown = np.pad(small.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))
    return grown.reshape(-1, 784)


class Tasks:
    """The images, and the area under the ROC curve of a score in each task."""

    def __init__(self, definition):
        images = load_images()
        self.name, self.definition, self.rows = images.name, definition, []
        limit = definition["images"]
        self.x, self.y = images.x_train.reshape(-1, 784)[:limit], images.y_train[:limit]
        valid, test = (a.reshape(-1, 784)[:limit] for a in (images.x_valid, images.x_test))
        self.queries = np.concatenate([valid, test])
        self.labels = np.concatenate([images.y_valid[:limit], images.y_test[:limit]])
        self.parts = {"valid": slice(0, len(valid)), "test": slice(len(valid), None)}
        self.clothes = test

    def without(self, task):
        """Return the training images of all classes but one."""
        return self.x[self.y != task]

    def note(self, task, score, **row):
        """Add the AUROC of a score in a task, on validation and on test images."""
        for part, where in self.parts.items():
            strange = self.labels[where] == task
            row[part] = round(float(roc_auc_score(strange, score[where])), 4)
        self.rows.append({"part": "task", **row, "task": task})

    def mean(self, part, **which):
        """Return the mean over tasks (and seeds) of the rows that match."""
        found = [r[part] for r in self.rows if r["part"] == "task" and which.items() <= r.items()]
        return float(np.mean(found))

    def note_summary(self, family, sizes, size, *, tuning, seeds):
        """Add what the chosen size reaches on the test images, and the oracle's choice."""
        valid = {s: self.mean("valid", family=family, size=s, seed=tuning) for s in sizes}
        by_seed = [self.mean("test", family=family, size=size, seed=seed) for seed in seeds]
        oracle = [
            max(self.mean("test", family=family, size=s, seed=tuning, task=task) for s in sizes)
            for task in self.definition["tasks"]
        ]
        row = {"valid_by_size": {str(s): round(v, 4) for s, v in valid.items()}}
        row |= {"test_mean": [round(v, 4) for v in by_seed]}
        row |= {"test_oracle": round(float(np.mean(oracle)), 4)}
        row |= {"inside_grid": len(sizes) == 1 or size not in (min(sizes), max(sizes))}
        self.rows.append({"part": "summary", "family": family, "size": size, **row})
        print(self.rows[-1], flush=True)


def classical(tasks):
    """Score every task with the methods that need no network."""
    nearest = nearest_by_class(tasks.x, tasks.y, tasks.queries)
    families = {}
    for task in tasks.definition["tasks"]:
        x, others = tasks.without(task), np.delete(nearest, task, axis=1).min(axis=1)
        scores = pixel_scores(x, tasks.queries, others)
        scores |= gaussian_scores(x, tasks.queries, tasks.definition["components"])
        for (family, size), score in scores.items():
            tasks.note(task, score, family=family, size=size, seed=0)
            families.setdefault(family, set()).add(size)
    for family, sizes in families.items():
        means = {size: tasks.mean("valid", family=family, size=size) for size in sorted(sizes)}
        best = max(means, key=means.get)
        tasks.note_summary(family, list(means), best, tuning=0, seeds=[0])


def networks(tasks):
    """Choose each network's code on validation images, then train it with the seeds."""
    definition = tasks.definition
    tuning, seeds = definition["tuning_seed"], definition["seeds"]
    for family, how in definition["networks"].items():

        def train(code, seed, family=family, how=how):
            for task in definition["tasks"]:
                options = {key: how[key] for key in ("widths", "epochs", "batch")}
                options |= {"code": code, "seed": seed}
                score = network_scores(tasks.without(task), tasks.queries, **options)
                tasks.note(task, score, family=family, size=code, seed=seed)
            mean = tasks.mean("test", family=family, size=code, seed=seed)
            print(f"{family}, code {code}, seed {seed}: {mean:.4f}", flush=True)

        best, seed = how["codes"][0], seeds[0]
        if len(how["codes"]) > 1:
            seed = tuning
            for code in how["codes"]:
                train(code, tuning)
            means = {c: tasks.mean("valid", family=family, size=c, seed=seed) for c in how["codes"]}
            best = max(means, key=means.get)
        for code in sorted({best, *how["also"]}):
            for seed_of_result in seeds:
                train(code, seed_of_result)
            tasks.note_summary(family, how["codes"], code, tuning=seed, seeds=seeds)


def digits(tasks):
    """Score digits against clothes, all training classes known: the cautionary tale."""
    strangers = digits_as_images()
    queries = np.concatenate([tasks.clothes, strangers])
    strange = np.r_[np.zeros(len(tasks.clothes)), np.ones(len(strangers))]
    scores = pixel_scores(
        tasks.x, queries, nearest_by_class(tasks.x, tasks.y, queries).min(axis=1)
    ) | gaussian_scores(tasks.x, queries, tasks.definition["components"])
    found = [(family, size, 0, score) for (family, size), score in scores.items()]
    how = tasks.definition["digits"]
    for code in how["codes"]:
        for seed in tasks.definition["seeds"]:
            options = {"widths": [100], "code": code, "seed": seed, "epochs": how["epochs"]}
            score = network_scores(tasks.x, queries, batch=128, **options)
            found.append(("784-100-k", code, seed, score))
    for family, size, seed, score in found:
        auroc = round(float(roc_auc_score(strange, score)), 4)
        row = {"part": "digits", "family": family, "size": size, "seed": seed, "test": auroc}
        tasks.rows.append(row)
        print(row, flush=True)


def by_network(rows):
    """Return the rows with those of the ten tasks gathered, one for each family, size and seed."""
    gathered = {}
    for row in [row for row in rows if row["part"] == "task"]:
        key = row["family"], row["size"], row["seed"]
        names = dict(zip(("family", "size", "seed"), key, strict=True))
        one = gathered.setdefault(key, {"part": "tasks", **names, "valid": [], "test": []})
        one["valid"].append(row["valid"])
        one["test"].append(row["test"])
    return [*gathered.values(), *[row for row in rows if row["part"] != "task"]]


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    tasks = Tasks(definition)
    classical(tasks)
    digits(tasks)
    networks(tasks)
    path = write_result(
        "anomalies",
        definition,
        by_network(tasks.rows),
        time.perf_counter() - start,
        folder=options.out,
        quick=options.quick,
        data=tasks.name,
    )
    print(path)


if __name__ == "__main__":
    main()
