"""Which of the models of `studies.which` notices a class that it has never seen?

For `chapters/which-autoencoder`. Ten tasks: train without one class, then rank the test images by
how badly they come back; the measure is the AUROC of the left-out class against the nine others.
The training images are `drawn` at random for every seed, as many as `studies.which` has tuned the
rates with, less the class. Rivals, on the same images: the nearest training image, and a Gaussian
of as many components as `studies.anomalies` has chosen on validation images.

Run it with `python -m studies.which_strangers`, or `--quick`.
"""

import itertools
import time

import keras
import numpy as np
from sklearn.metrics import roc_auc_score

from helpers import load_images, read_result
from studies import anomalies, which
from studies.common import arguments, definition_hash, write_result

DEFINITION = {
    key: which.DEFINITION[key]
    for key in ("code", "batch", "epochs", "deep", "noise", "variances", "seeds")
} | {
    "race": definition_hash("which", which.DEFINITION),
    "rates": {r["model"]: r["rate"] for r in read_result("which")["rows"] if r["part"] == "rate"},
    "components": 64,
    "drawn": which.DEFINITION["images_to_tune"],
    "tasks": [*range(10)],
    "images": None,
}
QUICK = DEFINITION | {
    "epochs": 1,
    "deep": [32],
    "variances": [0.5],
    "seeds": [0],
    "components": 16,
    "drawn": 300,
    "tasks": [0],
    "images": 1000,
}


def scorers(x, y, how, seed):
    """Yield each model's and rival's name, and its function from images to how strange they are."""
    mean = x.mean(axis=0)
    yield "mean image", lambda queries: np.square(queries - mean).sum(axis=1)
    yield (
        "nearest training image",
        lambda queries: anomalies.nearest_by_class(x, y, queries).min(axis=1),
    )
    size = how["components"]
    yield (
        "Gaussian",
        lambda queries: anomalies.gaussian_scores(x, queries, [size])["Gaussian", size],
    )
    yield "PCA", error_of(which.of_components(x, how["code"]))
    for name, train in which.trainers(how).items():
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
        yield name, error_of(train(x, how | {"seed": seed}, how["rates"][name]))


def error_of(coder):
    """Return the function from images to the squared error with which they come back."""
    return lambda queries: np.square(queries - coder.draw(queries)).sum(axis=1)


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    how = QUICK if options.quick else DEFINITION
    start, found = time.perf_counter(), {}
    images, part = load_images(), slice(how["images"])
    x, test = (a.reshape(-1, 784)[part] for a in (images.x_train, images.x_test))
    y, labels = images.y_train[part], images.y_test[part]
    for seed, task in itertools.product(how["seeds"], how["tasks"]):
        drawn = np.random.default_rng(seed).choice(len(x), how["drawn"], replace=False)
        drawn = drawn[y[drawn] != task]
        for name, score in scorers(x[drawn], y[drawn], how, seed):
            area = roc_auc_score(labels == task, score(test))
            found.setdefault((name, seed), []).append(round(float(area), 4))
            print(f"{time.perf_counter() - start:.0f} s", task, seed, name, area, flush=True)
    path = write_result(
        "which_strangers",
        how,
        [{"model": name, "seed": seed, "test": areas} for (name, seed), areas in found.items()],
        time.perf_counter() - start,
        folder=options.out,
        quick=options.quick,
        data=images.name,
    )
    print(path)


if __name__ == "__main__":
    main()
