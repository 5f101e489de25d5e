"""Does greedy training with GELU and Muon lose because its codes have unequal sizes?

For `chapters/greedy-training`. The network is the chapter's, 784-256-192-128-96-64-30 and back,
GELU, linear code, trained with the book's recipe: one epoch for each link's autoencoder and one of
fine-tuning, in batches of 256, against two joint epochs. GELU codes have no upper bound, so a
link may get inputs of any size. Three ways to hand them on: as they are; divided by one number,
the root of their mean square; each unit divided by its standard deviation. The factors go into the
weights of the neighbouring layers, so that the stack is the same network in all three.

Nothing is chosen: every run is shown. A link's share of its input's variance is measured on the
first 5,000 training images and in the input's own unit, the stack's error on the validation images.

Run it with `python -m studies.scaled_codes`, or `--quick`.
"""

import time

import keras
import numpy as np
from keras import layers

from helpers import fit, load_images
from studies.common import arguments, write_result

DEFINITION = {
    "sizes": [784, 256, 192, 128, 96, 64, 30],
    "scales": ["none", "one", "each"],
    "batch": 256,
    "link_epochs": 1,
    "tuning_epochs": 1,
    "joint_epochs": 2,
    "seeds": [0, 1, 2],
    "images": None,
}
QUICK = DEFINITION | {"sizes": [784, 32, 16], "joint_epochs": 1, "seeds": [0], "images": 512}


def scale_of(codes, how):
    """Return what each unit of the codes is divided by before the next link sees them."""
    if how == "none":
        return np.ones(codes.shape[1], "float32")
    if how == "one":
        return np.full(codes.shape[1], np.sqrt(np.mean(codes**2)), "float32")
    return codes.std(axis=0) + 1e-3


def chain(size, members):
    """Return a network made of these layers."""
    return keras.Sequential([keras.Input((size,)), *members])


def apply(model, x):
    """Return a network's outputs."""
    return model.predict(x, batch_size=1000, verbose=0)


def greedy(how, definition, x, valid):
    """Train one autoencoder a link, stack them, fine-tune; return what was measured."""
    sizes, batch = definition["sizes"], definition["batch"]
    options = {"batch_size": batch, "verbose": False}
    encoder, decoder, shares, partial = [], [], [], []
    codes, scale = x, np.ones(sizes[0], "float32")
    for k, units in enumerate(sizes[1:]):
        down = layers.Dense(units, activation="linear" if units == sizes[-1] else "gelu")
        up = layers.Dense(sizes[k], activation="sigmoid" if k == 0 else "gelu")
        shallow = chain(sizes[k], [down, up])
        fit(shallow, codes / scale, epochs=definition["link_epochs"], **options)
        rebuilt = apply(shallow, codes[:5000] / scale) * scale
        shares.append(float(np.mean((rebuilt - codes[:5000]) ** 2) / codes.var(axis=0).mean()))
        # The factors move into the neighbours: the stack works on codes as they are.
        down.kernel.assign(np.asarray(down.kernel) / scale[:, None])
        if k:
            decoder[0].kernel.assign(np.asarray(decoder[0].kernel) * scale[:, None])
        encoder, decoder = [*encoder, down], [up, *decoder]
        model = chain(sizes[0], [*encoder, *decoder])
        codes = apply(chain(sizes[k], [down]), codes)
        scale = scale_of(codes, how)
        partial.append(float(np.mean((apply(model, valid) - valid) ** 2)))
    history = fit(
        model, x, validation_data=valid, epochs=definition["tuning_epochs"], **options
    ).history
    return {"shares": shares, "partial": partial, "val_mse": history["val_loss"][-1]}


def joint(definition, x, valid):
    """Train the whole network at once."""
    sizes = definition["sizes"]
    widths = [*sizes[1:], *sizes[-2::-1]]
    middle = len(sizes) - 2
    names = ["linear" if i == middle else "gelu" for i in range(len(widths) - 1)]
    members = [layers.Dense(n, f) for n, f in zip(widths, [*names, "sigmoid"], strict=True)]
    options = {"batch_size": definition["batch"], "epochs": definition["joint_epochs"]}
    history = fit(
        chain(sizes[0], members), x, validation_data=valid, verbose=False, **options
    ).history
    return {"val_mse": history["val_loss"][-1]}


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    x, valid = (
        a.reshape(-1, 784)[: definition["images"]] for a in (images.x_train, images.x_valid)
    )
    rows = []
    for seed in definition["seeds"]:
        for how in ["joint", *definition["scales"]]:
            keras.utils.clear_session()
            keras.utils.set_random_seed(seed)
            method = joint if how == "joint" else lambda *rest, how=how: greedy(how, *rest)
            rows.append({"training": how, "seed": seed} | method(definition, x, valid))
            print(rows[-1], flush=True)
    path = write_result(
        "scaled_codes",
        definition,
        rows,
        time.perf_counter() - start,
        folder=options.out,
        quick=options.quick,
        data=images.name,
        mean_image=float(np.mean((valid - x.mean(axis=0)) ** 2)),
    )
    print(path)


if __name__ == "__main__":
    main()
