"""What may be measured on codes? Neighbours, distances, and a fine-tuned encoder's codes.

For `chapters/reading-codes` and `chapters/unsupervised-pretraining`. A code is arbitrary up
to an invertible map, so distances are measured on the codes as they are, on whitened codes, and on
the reconstructions, which no such map changes; and before a fine-tuned encoder is said to have
lost the images, the best affine map from its codes to the old ones is fitted (on training images
without the labelled ones) and the old decoder draws from what comes out.

Networks: 784-100-30 and back, the book's recipe, three epochs; the classifier is fine-tuned as in
the chapter, on 500 labels, at the rate that `studies.pretraining` found best on validation images
for as many, and at nine times that rate. Neighbours are counted among the 10,000 test images in
ten folds, and compared image by image. Nothing is chosen.

Run it with `python -m studies.codes`, or `--quick`.
"""

import time

import keras
import numpy as np
from keras import layers
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from helpers import fit, load_images
from studies.common import arguments, write_result

DEFINITION = {
    "epochs": 3,
    "neighbours": 10,
    "mapped": 2000,
    "labels": 500,
    # How the chapter trains its classifier: the head on frozen codes first, then everything.
    "frozen": [400, 0.02],
    "fine_tuned": [1000, 0.001 / 3],
    "faster": [1000, 0.003],
    "affine_images": 20000,
    "seeds": [0, 1, 2],
    "images": None,
}
QUICK = DEFINITION | {
    **{"epochs": 1, "mapped": 300, "labels": 50, "frozen": [10, 0.02]},
    **{"fine_tuned": [20, 0.001], "faster": [20, 0.003]},
    **{"affine_images": 600, "seeds": [0], "images": 1000},
}


def autoencoder():
    """Return the encoder and the decoder of the stacked autoencoder, with random weights."""
    encoder = keras.Sequential([keras.Input((784,)), layers.Dense(100, "gelu"), layers.Dense(30)])
    decoder = keras.Sequential([keras.Input((30,)), layers.Dense(100, "gelu"), layers.Dense(784)])
    return encoder, decoder


def apply(model, x):
    """Return a model's output for these inputs."""
    return model.predict(x, batch_size=1000, verbose=0)


def whiten(codes):
    """Return the codes with the covariance of a sphere."""
    return PCA(whiten=True, svd_solver="full").fit_transform(codes)


def right(points, labels, neighbours):
    """Return for every point whether its neighbours in the nine other folds guess its class."""
    classifier = KNeighborsClassifier(neighbours, algorithm="brute")
    return cross_val_predict(classifier, points, labels, cv=10) == labels


def compare_neighbours(spaces, labels, seed, definition):
    """Yield the accuracy of each space, and its paired difference to the pixels and to PCA."""
    correct = {name: right(p, labels, definition["neighbours"]) for name, p in spaces.items()}
    for name, values in correct.items():
        row = {"part": "neighbours", "space": name, "seed": seed, "accuracy": values.mean()}
        for other in ("pixels", "PCA-30"):
            difference = values.astype(float) - correct[other]
            row[f"less_{other}"] = difference.mean()
            row[f"less_{other}_half_width"] = 1.96 * difference.std() / np.sqrt(len(difference))
        yield {k: round(float(v), 5) if isinstance(v, float) else v for k, v in row.items()}


def distances_and_sizes(points, labels):
    """Return the distances of the classes' centres, and the classes' mean radii."""
    classes = [points[labels == label] for label in np.unique(labels)]
    sizes = [np.linalg.norm(c - c.mean(axis=0), axis=1).mean() for c in classes]
    return pdist([c.mean(axis=0) for c in classes]), np.array(sizes)


def compare_distances(spaces, view, labels, seed):
    """Yield how a map's distances and sizes relate to those of each space."""
    seen, seen_sizes = distances_and_sizes(view, labels)
    for name, points in spaces.items():
        true, true_sizes = distances_and_sizes(points, labels)
        yield {
            **{"part": "distances", "space": name, "seed": seed},
            "order": round(float(spearmanr(true, seen).statistic), 4),
            "stretch": round(float(np.exp(np.ptp(np.log(seen / true)))), 3),
            "stretch_of_sizes": round(float(np.exp(np.ptp(np.log(seen_sizes / true_sizes)))), 3),
        }


def train_classifier(model, x, y, steps, rate):
    """Compile and train a classifier for so many steps, as the chapter does."""
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(schedule), loss=loss)
    copies = np.arange(steps * 5) % len(x)
    fit(model, x[copies], y[copies], epochs=10, batch_size=50, verbose=False)


def fine_tune(encoder, x, y, frozen, fine_tuned):
    """Return a copy of the encoder, fine-tuned with a head of ten classes, and the classifier."""
    body = keras.models.clone_model(encoder)
    body.set_weights(encoder.get_weights())
    classifier = keras.Sequential([keras.Input((784,)), body, layers.Dense(10)])
    body.trainable = False
    train_classifier(classifier, x, y, *frozen)
    body.trainable = True
    train_classifier(classifier, x, y, *fine_tuned)
    return body, classifier


def affine(codes, targets):
    """Return the function that maps these codes to these targets with the least squared error."""
    matrix = np.linalg.lstsq(np.c_[codes, np.ones(len(codes))], targets, rcond=None)[0]
    return lambda c: (np.c_[c, np.ones(len(c))] @ matrix).astype("float32")


def compare_fine_tuned(encoder, decoder, images, seed, definition):
    """Return what the decoder draws from fine-tuned codes, before and after an affine map."""
    x, y, test, y_test = images
    chosen = np.random.default_rng(seed).permutation(len(x))
    few, rest = np.split(chosen, [definition["labels"]])
    rest = rest[: definition["affine_images"]]
    row, encoders = {"part": "fine_tuned", "seed": seed}, {}
    for name in ("fine_tuned", "faster"):
        keras.utils.set_random_seed(seed)  # the same head and batches at either rate
        how = definition["frozen"], definition[name]
        encoders[name], classifier = fine_tune(encoder, x[few], y[few].astype("int32"), *how)
        row[f"{name}_accuracy"] = np.mean(np.argmax(apply(classifier, test), axis=1) == y_test)
    encoders["random"] = autoencoder()[0]
    for name, other in encoders.items():
        to_old = affine(apply(other, x[rest]), apply(encoder, x[rest]))
        to_pixels = affine(apply(other, x[rest]), x[rest])
        codes, old = apply(other, test), apply(encoder, test)
        mapped = to_old(codes)
        row[f"{name}_r2_of_old_codes"] = (
            1 - np.square(mapped - old).sum() / np.square(old - old.mean(axis=0)).sum()
        )
        row[f"{name}_mse_as_it_is"] = np.square(apply(decoder, codes) - test).mean()
        row[f"{name}_mse_after_affine_map"] = np.square(apply(decoder, mapped) - test).mean()
        row[f"{name}_mse_linear_decoder"] = np.square(to_pixels(codes) - test).mean()
    row["mse_before"] = np.square(apply(decoder, apply(encoder, test)) - test).mean()
    row["mse_mean_image"] = np.square(test - x.mean(axis=0)).mean()
    return {k: round(float(v), 5) if k not in ("part", "seed") else v for k, v in row.items()}


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    x, test = (a.reshape(-1, 784)[: definition["images"]] for a in (images.x_train, images.x_test))
    y, y_test = (a[: definition["images"]] for a in (images.y_train, images.y_test))
    pca = PCA(30, svd_solver="covariance_eigh").fit(x)
    rows, mapped = [], definition["mapped"]
    for seed in definition["seeds"]:
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
        encoder, decoder = autoencoder()
        fit(keras.Sequential([encoder, decoder]), x, epochs=definition["epochs"], verbose=False)
        codes = apply(encoder, test)
        spaces = {
            "pixels": test,
            "PCA-30": pca.transform(test),
            "codes": codes,
            "whitened codes": whiten(codes),
            "reconstructions": apply(decoder, codes),
        }
        rows += compare_neighbours(spaces, y_test, seed, definition)
        view = TSNE(init="pca", random_state=seed).fit_transform(codes[:mapped])
        spaces = {name: points[:mapped] for name, points in spaces.items()}
        rows += compare_distances(spaces, view, y_test[:mapped], seed)
        rows.append(compare_fine_tuned(encoder, decoder, (x, y, test, y_test), seed, definition))
        print(*rows[-11:], sep="\n", flush=True)
    path = write_result(
        "codes",
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
