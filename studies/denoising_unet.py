"""What convolutions add to denoising.

For `chapters/denoising-autoencoder`: the small U-Net, which estimates the noise and subtracts it, on
the images and the noise of the study `denoising`; its rates are tuned with fewer training images.

Run it with `python -m studies.denoising_unet`, or `--quick`.
"""

import time

import keras
from keras import layers

from helpers import fit, load_images, small_unet
from studies.common import STUDIES, arguments, code_hash, code_reached, write_result
from studies.denoising import add_noise, as_text, clipped_mse, tune

BORROWED = {"add_noise", "as_text", "clipped_mse", "tune"}  # from the study `denoising`

DEFINITION = {
    "sigmas": [0.1, 0.3, 0.5],
    "tuned_on": [2000, 2500],  # validation images, from and to
    "measured_on": [0, 1000],
    "width": 8,
    "batch": 32,
    "epochs": 1,
    "first_rate": 0.01,
    "images_to_tune": 20_000,
    "pictures": {"sigma": 0.3, "seed": 0, "images": 8},
    "tuning_seed": 9,
    "seeds": [0, 1, 2],
    "images": None,
    "borrowed": code_hash({}, *code_reached(BORROWED, [STUDIES / "denoising.py"])),
}
QUICK = DEFINITION | {
    "sigmas": [0.3],
    "tuned_on": [50, 100],
    "measured_on": [0, 50],
    "width": 1,
    "seeds": [0],
    "images": 500,
}


def adam(rate, steps):
    """Return Adam with a rate that rises in a tenth of the steps and then falls along a cosine.

    Without the rise, one run in three of the best rate went astray in its first steps.
    """
    rise = steps // 10
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - rise, warmup_target=rate, warmup_steps=rise
    )
    return keras.optimizers.Adam(schedule)


def train(definition, sigma, x_train, *, rate, seed):
    """Train the U-Net to subtract noise of one level."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    image = keras.Input((28, 28, 1))
    noisy = layers.GaussianNoise(sigma)(image)
    noise = small_unet(definition["width"])(noisy)
    model = keras.Model(image, layers.Subtract()([noisy, noise]))
    steps = -(-len(x_train) // definition["batch"]) * definition["epochs"]
    model.compile(loss="mse", optimizer=adam(rate, steps))
    options = {"epochs": definition["epochs"], "batch_size": definition["batch"]}
    fit(model, x_train, verbose=False, **options)
    return model


def denoisers(definition, x_train, tuning, valid):
    """Tune and train the U-Net for each level; yield (row, answer) for each seed."""
    for sigma in definition["sigmas"]:

        def measure(rate, sigma=sigma):
            seed = definition["tuning_seed"]
            few = x_train[: definition["images_to_tune"]]
            model = train(definition, sigma, few, rate=rate, seed=seed)
            return clipped_mse(tuning, model.predict(add_noise(tuning, sigma, seed), verbose=0))

        rate, tried = tune(measure, definition["first_rate"])
        for seed in definition["seeds"]:
            model = train(definition, sigma, x_train, rate=rate, seed=seed)
            # Drawn in the form of the other study, so that both see the same noise.
            noisy = add_noise(valid.reshape(-1, 784), sigma, seed).reshape(valid.shape)
            answer = model.predict(noisy, verbose=0)
            row = {"part": "network", "method": "U-Net", "made_for": sigma, "sigma": sigma}
            row |= {"seed": seed, "rate": rate, "mse": clipped_mse(valid, answer)}
            row |= {"parameters": model.count_params()}
            yield row | {"tried": {f"{key:g}": mse for key, mse in sorted(tried.items())}}, answer


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    x_train = images.x_train[: definition["images"], ..., None]
    valid, tuning = (
        images.x_valid[slice(*definition[part]), ..., None] for part in ("measured_on", "tuned_on")
    )
    rows, pictures = [], {}
    for row, answer in denoisers(definition, x_train, tuning, valid):
        rows.append(row)
        print(row, flush=True)
        drawn = definition["pictures"]
        if (row["sigma"], row["seed"]) == (drawn["sigma"], drawn["seed"]):
            pictures["U-Net"] = as_text(answer[: drawn["images"]])
    path = write_result(
        "denoising_unet",
        definition,
        rows,
        time.perf_counter() - start,
        folder=options.out,
        quick=options.quick,
        data=images.name,
        pictures=pictures,
    )
    print(path)


if __name__ == "__main__":
    main()
