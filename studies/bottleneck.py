"""What do two numbers keep of a garment, what do fifty, and how fast does the error fall between?

For the bottleneck slider of `chapters/stacked-autoencoder`: 784-512-256-k and back, for ten code
sizes k, with the book's recipe. The rate is the one that `code_size` has tuned for this network at
k = 30; the other code sizes use it untuned, so a lead over PCA is a lower bound. Errors are those of
the validation images, PCA's too, before anything is cut off; the test images are not used.

Beside the errors the result holds pictures: of each class one validation image, and what the network
of the first seed draws of it, as bytes from 0 to 255.

Run it with `python -m studies.bottleneck`, or `--quick`.
"""

import base64
import time

import keras
import numpy as np
from keras import layers
from sklearn.decomposition import PCA

from helpers import fit, load_images
from studies.common import arguments, write_result

DEFINITION = {
    "codes": [2, 3, 4, 6, 8, 10, 15, 20, 30, 50],
    "widths": [512, 256],
    "rate": 0.01,
    "batch": 400,
    "epochs": 2,
    "pictures": "the second validation image of every class",
    "seeds": [0, 1, 2],
    "images": None,
}
QUICK = DEFINITION | {
    "codes": [2, 10, 50],
    "widths": [32, 16],
    "epochs": 1,
    "seeds": [0],
    "images": 2000,
}


def autoencoder(sizes):
    """Return a stacked autoencoder, 784-…-code and back: GELU, linear code, linear output."""
    *widths, code = sizes
    return keras.Sequential(
        [
            keras.Input((784,)),
            *[layers.Dense(width, "gelu") for width in widths],
            layers.Dense(code),
            *[layers.Dense(width, "gelu") for width in reversed(widths)],
            layers.Dense(784),
        ]
    )


def train(definition, x, valid, *, code, seed):
    """Return the trained model and its validation MSE."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = autoencoder([*definition["widths"], code])
    options = {
        "epochs": definition["epochs"],
        "batch_size": definition["batch"],
        "learning_rate": definition["rate"],
    }
    history = fit(model, x, validation_data=valid, verbose=False, **options)
    return model, history.history["val_loss"][-1]


def pca_errors(codes, x, valid):
    """Return the validation MSE of PCA for every code size, as a dict from its text."""
    pca = PCA(max(codes), svd_solver="covariance_eigh").fit(x)
    errors = {}
    for k in codes:
        axes = pca.components_[:k]
        drawn = (valid - pca.mean_) @ axes.T @ axes + pca.mean_
        errors[str(k)] = float(np.square(valid - drawn).mean())
    return errors


def packed(images):
    """Return images as text, base64 of one byte a pixel, cut off to [0, 1]."""
    pixels = np.round(255 * np.clip(images, 0, 1)).astype("uint8")
    return base64.urlsafe_b64encode(pixels.tobytes()).decode()


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    x, valid = (
        a.reshape(-1, 784)[: definition["images"]] for a in (images.x_train, images.x_valid)
    )
    shown = [int(np.flatnonzero(images.y_valid == label)[1]) for label in range(10)]
    garments = images.x_valid.reshape(-1, 784)[shown]
    rows, drawn = [], {}
    for code in definition["codes"]:
        for seed in definition["seeds"]:
            model, mse = train(definition, x, valid, code=code, seed=seed)
            rows.append({"code": code, "seed": seed, "val_mse": mse})
            print(rows[-1], flush=True)
            if seed == definition["seeds"][0]:
                drawn[str(code)] = packed(model.predict(garments, verbose=0))
    path = write_result(
        "bottleneck",
        definition,
        rows,
        time.perf_counter() - start,
        folder=options.out,
        quick=options.quick,
        data=images.name,
        pca_mse=pca_errors(definition["codes"], x, valid),
        names=list(images.class_names),
        garments=packed(garments),
        drawn=drawn,
    )
    print(path)


if __name__ == "__main__":
    main()
