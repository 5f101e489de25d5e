"""Three seeds of the chapter `generative-models`: distance, modes, share on target, seconds.

The models are the chapter's own: the study runs the chapter's cells that have the tag `study`,
so the two cannot drift apart, and the hash of those cells is part of the definition.

The learning rates at the start are the chapter's, set by hand. To see how much hangs on them, each
family is also trained from half and from twice its rate, with a seed that the results do not use,
and measured against held-out points that the results do not use either. Nothing is chosen by that.
A few points of the first seed are kept, for a picture of what the samplers draw.

Run it with `python -m studies.generative` (about 5 minutes on one core), or `--quick`.
"""

import hashlib
import time

import nbformat

from studies.common import STUDIES, arguments, write_result

CHAPTER = STUDIES.parent / "chapters" / "generative-models.ipynb"


def chapter_cells():
    """Return the sources of the chapter's cells that define data, yardstick and models."""
    cells = nbformat.read(CHAPTER, as_version=4).cells
    return [cell.source for cell in cells if "study" in cell.metadata.get("tags", [])]


DEFINITION = {
    "seeds": [0, 1, 2],
    "samples": 4000,
    "generator_steps_to_collapse": 10,
    "collapse_epochs": 4,
    "denoising_steps": [2, 5, 10, 20, 100],
    "rates": {"AE": 2e-3, "GAN": 1e-3, "DDPM": 1e-2},
    "times_rate": [0.5, 1, 2],
    "seed_of_the_rates": 3,
    "points_kept": 300,
    "chapter_cells": hashlib.sha256("\n".join(chapter_cells()).encode()).hexdigest(),
}


def try_rates(book, n, epochs):
    """Train each family from half, once and twice its rate; return rows that say how well it went."""
    keras, np = book["keras"], book["np"]
    seed, reference = DEFINITION["seed_of_the_rates"], book["other_half"][:n]
    settings = {"batch_size": book["BATCH"], "epochs": epochs, "verbose": 0}
    rows = []
    for times in DEFINITION["times_rate"]:
        rates = {family: times * rate for family, rate in DEFINITION["rates"].items()}
        optimizers = {family: book["adam"](rates[family]) for family in ("AE", "DDPM")}
        rng = np.random.default_rng(seed)

        keras.utils.set_random_seed(seed)
        encoder, decoder = book["network"](2, 1), book["network"](1, 2)
        autoencoder = keras.Sequential([encoder, decoder])
        autoencoder.compile(
            loss="mse", optimizer=optimizers["AE"], steps_per_execution=book["STEPS"]
        )
        autoencoder.fit(book["train"], book["train"], **settings)
        codes = encoder.predict_on_batch(book["train"]).ravel()
        quantiles = np.quantile(codes, rng.uniform(size=n))[:, None]
        samples = {"AE": decoder.predict_on_batch(quantiles)}

        keras.utils.set_random_seed(seed)
        gan = book["GAN"]()
        gan.g_optimizer, gan.d_optimizer = (
            book["adam"](rates["GAN"], beta_1=0.5) for _ in range(2)
        )
        gan.g_optimizer.build(gan.generator.trainable_variables)
        gan.d_optimizer.build(gan.discriminator.trainable_variables)
        gan.compile(steps_per_execution=book["STEPS"])
        gan.fit(book["train"], **settings)
        samples["GAN"] = gan.sample(n)

        keras.utils.set_random_seed(seed)
        ddpm = book["DDPM"]()
        ddpm.compile(optimizer=optimizers["DDPM"], steps_per_execution=book["STEPS"])
        ddpm.fit(book["train"], **settings)
        noise = rng.normal(size=(n, 2)).astype("float32")
        samples["DDPM"] = book["denoise"](ddpm, noise, book["LEVELS"])[-1]

        for family, drawn in samples.items():
            found, share = book["modes"](np.asarray(drawn))
            distance = round(book["energy_distance"](np.asarray(drawn), reference), 4)
            rows.append({"family": family, "rate": rates[family], "distance": distance})
            rows[-1] |= {"modes": found, "on_target": round(share, 4)}
            print(rows[-1], flush=True)
    return rows


def main(argv=None):
    """Run all models over all seeds and write the result."""
    options = arguments(__doc__.split("\n", maxsplit=1)[0], argv)
    book = {}
    for source in chapter_cells():
        exec(source, book)  # the book's own code, not a copy of it
    keras, np, epochs = book["keras"], book["np"], book["EPOCHS"]
    seeds, n, collapse_epochs = (DEFINITION[key] for key in ("seeds", "samples", "collapse_epochs"))
    if options.quick:
        seeds, n, epochs, collapse_epochs = seeds[:1], 200, 1, 1
    test, train, rows, points = book["test"][:n], book["train"], [], {}
    start = time.perf_counter()

    def row(model, seed, samples, **extra):
        samples = np.asarray(samples)
        found, share = book["modes"](samples)
        distance = round(book["energy_distance"](samples, test), 4)
        rows.append({"model": model, "seed": seed, "distance": distance} | extra)
        rows[-1] |= {"modes": found, "on_target": round(share, 4)}
        print(rows[-1], flush=True)
        kept = (f"{x:.2f},{y:.2f}" for x, y in samples[: DEFINITION["points_kept"]])
        points.setdefault(model, " ".join(kept))  # those of the first seed

    def train_for(model, epochs, *data):
        wall, cpu = time.perf_counter(), time.process_time()
        model.fit(*data, batch_size=book["BATCH"], epochs=epochs, verbose=0)
        return {
            "train_seconds": round(time.perf_counter() - wall, 1),
            "train_cpu_seconds": round(time.process_time() - cpu, 1),
        }

    for seed in seeds:
        rng = np.random.default_rng(seed)
        row("real data", seed, book["draw_data"](n, rng))

        keras.utils.set_random_seed(seed)
        encoder, decoder = book["network"](2, 1), book["network"](1, 2)
        autoencoder = keras.Sequential([encoder, decoder])
        autoencoder.compile(
            loss="mse", optimizer=book["adam"](2e-3), steps_per_execution=book["STEPS"]
        )
        seconds = train_for(autoencoder, epochs, train, train)
        codes = encoder.predict_on_batch(train).ravel()
        normal = codes.mean() + codes.std() * rng.normal(size=(n, 1))
        row("AE, random codes", seed, decoder.predict_on_batch(normal), **seconds)
        quantiles = np.quantile(codes, rng.uniform(size=n))[:, None]
        row("AE, real codes", seed, decoder.predict_on_batch(quantiles), **seconds)

        for name, generator_steps, length in (
            ("GAN", 1, epochs),
            ("GAN, collapsed", DEFINITION["generator_steps_to_collapse"], collapse_epochs),
        ):
            keras.utils.set_random_seed(seed)
            gan = book["GAN"](generator_steps)
            gan.compile(steps_per_execution=book["STEPS"])
            seconds = train_for(gan, length, train)
            loss = gan.history.history["discriminator loss"][-10:]
            row(name, seed, gan.sample(n), d_loss=round(float(np.mean(loss)), 3), **seconds)

        keras.utils.set_random_seed(seed)
        ddpm = book["DDPM"]()
        ddpm.compile(optimizer=book["adam"](1e-2), steps_per_execution=book["STEPS"])
        seconds = train_for(ddpm, epochs, train)
        noise = rng.normal(size=(n, 2)).astype("float32")
        for steps in DEFINITION["denoising_steps"]:
            samples = book["denoise"](ddpm, noise, steps)[-1]
            row(f"DDPM, {steps} steps", seed, samples, **seconds)

    extra = {"by_rate": try_rates(book, n, epochs), "points": points, "quick": options.quick}
    seconds = time.perf_counter() - start
    print(write_result("generative", DEFINITION, rows, seconds, folder=options.out, **extra))


if __name__ == "__main__":
    main()
