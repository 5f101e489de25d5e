"""Joint against greedy layer-wise training at equal compute: depth x activation x seeds.

Also: how often the deep sigmoid network stays at the mean image, whether another learning rate
or more epochs save it, and which single modern ingredient does. For `chapters/greedy-training`.

Run it with `python -m studies.greedy` (about 26 minutes on one core), or `--quick`.
"""

import math
import time

import keras
import numpy as np
from keras import layers

from helpers import fit, load_images
from studies.common import arguments, write_result

SIZES = {
    2: [784, 100, 30],
    4: [784, 256, 128, 64, 30],
    6: [784, 256, 192, 128, 96, 64, 30],
}
# The reference: everything a run may leave unsaid. `code` is the code layer's activation.
DEFAULTS = {
    "activation": "sigmoid",
    "code": "linear",
    "initializer": "glorot_uniform",
    "batch_norm": False,
    "optimizer": "Adam",
    "learning_rate": 0.003,
    "epsilon": 1e-7,  # Keras' default: a gradient far below it moves nothing, even in Adam
    "batch_size": 256,
    "epochs": 6,  # greedy: `layer_epochs` for each layer, the rest to fine-tune
    "layer_epochs": 3,
}
# Weights four times as wide, as Glorot & Bengio (2010) found for the sigmoid's slope of 1/4.
WIDE = {"class_name": "VarianceScaling", "config": {"scale": 16.0, "mode": "fan_avg"}}
DEEP = {"depth": 6, "training": "joint", "seeds": [0]}
RUNS = [
    # The table: depth x activation x training.
    *[
        {"depth": depth, "activation": activation, "training": training, "seeds": [0, 1, 2]}
        for depth in (2, 4, 6)
        for activation in ("sigmoid", "relu", "gelu")
        for training in ("joint", "greedy")
    ],
    # The classic: two layers, ReLU everywhere, the code included.
    *[
        {
            "depth": 2,
            "activation": "relu",
            "code": "relu",
            "training": training,
            "seeds": [*range(5)],
        }
        for training in ("joint", "greedy")
    ],
    # How often does a seed leave the plateau, and does the rescue depend on it?
    DEEP | {"seeds": [*range(3, 10)]},
    DEEP | {"training": "greedy", "seeds": [3, 4]},
    # Was it only the learning rate, Adam's epsilon, or too few epochs?
    *[DEEP | {"learning_rate": rate} for rate in (0.0001, 0.0003, 0.001, 0.01)],
    DEEP | {"epsilon": 1e-15},
    DEEP | {"epochs": 24},
    DEEP | {"epochs": 24, "training": "greedy"},
    # One modern ingredient at a time, then all of the book's recipe.
    DEEP | {"activation": "tanh"},
    DEEP | {"initializer": WIDE},
    DEEP | {"batch_norm": True},
    DEEP | {"optimizer": "Muon", "learning_rate": 0.01},
    DEEP | {"activation": "gelu", "optimizer": "Muon", "learning_rate": 0.01, "seeds": [0, 1, 2]},
]
DEFINITION = {
    "sizes": SIZES,
    "defaults": DEFAULTS,
    "runs": RUNS,
    "seeds": [*range(10)],
}
QUICK = DEFINITION | {
    "images": 512,
    "defaults": DEFAULTS | {"layer_epochs": 1},
    "seeds": [0],
    "runs": [
        {"depth": 2, "activation": "relu", "training": "joint", "seeds": [0], "epochs": 2},
        {"depth": 2, "activation": "relu", "training": "greedy", "seeds": [0], "epochs": 2},
        DEEP | {"batch_norm": True, "epochs": 1},
        DEEP | {"initializer": WIDE, "optimizer": "Muon", "epochs": 1},
    ],
}


def dense(units, activation, run):
    """Return the layers that make one dense layer of this run."""
    initializer = keras.initializers.get(run["initializer"])
    if not run["batch_norm"] or activation == "linear":
        return [layers.Dense(units, activation=activation, kernel_initializer=initializer)]
    return [
        layers.Dense(units, kernel_initializer=initializer),
        layers.BatchNormalization(),
        layers.Activation(activation),
    ]


def activations(run, sizes):
    """Return the activations of all layers: encoder, code, decoder, output."""
    hidden = [run["activation"]] * (len(sizes) - 2)
    return [*hidden, run["code"], *hidden, "sigmoid"]


def train(model, x, epochs, run, valid=None):
    """Compile and train a model on its own input; return its History."""
    steps = math.ceil(len(x) / run["batch_size"]) * epochs
    schedule = keras.optimizers.schedules.CosineDecay(run["learning_rate"], steps)
    optimizer = getattr(keras.optimizers, run["optimizer"])(schedule, epsilon=run["epsilon"])
    model.compile(loss="mse", optimizer=optimizer)
    return fit(
        model, x, epochs=epochs, validation_data=valid, batch_size=run["batch_size"], verbose=False
    ).history


def error(model, x):
    """Return the mean squared error per pixel of a model on its own input."""
    return float(np.mean((model.predict(x, batch_size=1000, verbose=0) - x) ** 2))


def joint(run, sizes, x, valid):
    """Train the whole network at once."""
    widths = [*sizes[1:], *sizes[-2::-1]]
    chain = [
        layer
        for units, activation in zip(widths, activations(run, sizes), strict=True)
        for layer in dense(units, activation, run)
    ]
    model = keras.Sequential([keras.Input((sizes[0],)), *chain])
    history = train(model, x, run["epochs"], run, valid)
    return {"val_mse": history["val_loss"][-1], "curve": history["val_loss"]}


def greedy(run, sizes, x, valid):
    """Train one autoencoder at a time, stack them, then fine-tune the whole network."""
    encoder, decoder, inner, partial = [], [], [], []
    codes = x
    depth = len(sizes) - 1
    for k in range(depth):
        down = layers.Dense(sizes[k + 1], activation=activations(run, sizes)[k])
        up = layers.Dense(sizes[k], activation="sigmoid" if k == 0 else run["activation"])
        shallow = keras.Sequential([keras.Input((sizes[k],)), down, up])
        history = train(shallow, codes, run["layer_epochs"], run)
        inner.append([history["loss"][-1], float(codes.var(axis=0).mean())])
        encoder, decoder = [*encoder, down], [up, *decoder]
        model = keras.Sequential([keras.Input((sizes[0],)), *encoder, *decoder])
        partial.append(error(model, valid))
        if k < depth - 1:
            codes = keras.Sequential([keras.Input((sizes[k],)), down]).predict(
                codes, batch_size=1000, verbose=0
            )
    tuning = run["epochs"] - run["layer_epochs"]
    history = train(model, x, tuning, run, valid)
    return {
        "val_mse": history["val_loss"][-1],
        "stacked": partial[-1],
        "partial": partial,
        "inner_loss_and_variance": inner,
        "curve": history["val_loss"],
    }


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    x = images.x_train.reshape(len(images.x_train), -1)[: definition.get("images")]
    valid = images.x_valid.reshape(len(images.x_valid), -1)[: definition.get("images")]
    rows = []
    for short in definition["runs"]:
        run = definition["defaults"] | {k: v for k, v in short.items() if k != "seeds"}
        method = {"joint": joint, "greedy": greedy}[run["training"]]
        for seed in short["seeds"]:
            keras.utils.clear_session()
            keras.utils.set_random_seed(seed)
            row = method(run, definition["sizes"][run["depth"]], x, valid)
            rows.append(run | {"seed": seed} | row)
            print(
                f"{time.perf_counter() - start:6.0f} s  {short | {'seeds': seed}}"
                f"  {row.get('stacked', math.nan):.4g}  {row['val_mse']:.4g}",
                flush=True,
            )
    seconds = time.perf_counter() - start
    path = write_result(
        "greedy",
        definition,
        rows,
        seconds,
        folder=options.out,
        quick=options.quick,
        data={"name": images.name, "train": len(x), "valid": len(valid)},
    )
    print(f"{len(rows)} runs in {seconds:.0f} s: {path}")


if __name__ == "__main__":
    main()
