"""Three seeds of the chapter `generative-models`: distance, modes, share on target, seconds.

The models are the chapter's own: the study runs the chapter's cells that have the tag `study`,
so the two cannot drift apart, and the hash of those cells is part of the definition.

The learning rates at the start are the chapter's, set by hand. To see how much hangs on them, each
family is also trained from half and from twice its rate, with a seed that the results do not use,
and measured against held-out points that the results do not use either. Nothing is chosen by that.
Every number about samples is the mean of five draws, since a single draw's distance is off by chance.
A few points of the first seed are kept, for a picture of what the samplers draw.

The discriminator's loss is read at equal steps: two GANs that differ only in how many steps their
generators take for each of the discriminator's, both after as many of these as the collapse has, and
over the same minibatches.

Run it with `python -m studies.generative` (about 17 minutes beside much other work), or `--quick`.
"""

import hashlib
import time

import nbformat
from sklearn.mixture import GaussianMixture

from studies.common import STUDIES, arguments, write_result

CHAPTER = STUDIES.parent / "chapters" / "generative-models.ipynb"


def chapter_cells():
    """Return the sources of the chapter's cells that define data, yardstick and models."""
    cells = nbformat.read(CHAPTER, as_version=4).cells
    return [cell.source for cell in cells if "study" in cell.metadata.get("tags", [])]


DEFINITION = {
    "seeds": [0, 1, 2],
    "samples": 4000,
    "draws": 5,
    "generator_steps_to_collapse": 10,
    "collapse_epochs": 4,
    "seeds_at_equal_steps": [0, 1, 2, 3, 4],
    "minibatches_at_equal_steps": 40,
    "denoising_steps": [2, 5, 10, 20, 100],
    "rates": {"AE": 2e-3, "GAN": 1e-3, "DDPM": 1e-2},
    "times_rate": [0.5, 1, 2],
    "seed_of_the_rates": 3,
    "points_kept": 300,
    "chapter_cells": hashlib.sha256("\n".join(chapter_cells()).encode()).hexdigest(),
}


def measured(book, draws, reference):
    """Return how far some draws are from real points and their share on target, both on average."""
    np = book["np"]
    draws = [np.asarray(samples) for samples in draws]
    counts = [book["modes"](samples) for samples in draws]
    distances = [book["energy_distance"](samples, reference) for samples in draws]
    return {
        "distance": round(float(np.mean(distances)), 4),
        "modes": min(found for found, _ in counts),
        "on_target": round(float(np.mean([share for _, share in counts])), 4),
    }


def at_equal_steps(book, seeds, epochs):
    """Return rows with the discriminator's loss of a healthy and a pushed GAN after equal steps."""
    keras, np, tf, rows = book["keras"], book["np"], book["tf"], []
    count = DEFINITION["minibatches_at_equal_steps"]
    batches = book["train"][: count * book["BATCH"]].reshape(count, book["BATCH"], 2)
    for seed in seeds:
        for generator_steps in (1, DEFINITION["generator_steps_to_collapse"]):
            keras.utils.set_random_seed(seed)
            gan = book["GAN"](generator_steps)
            gan.compile(steps_per_execution=book["STEPS"])
            gan.fit(book["train"], batch_size=book["BATCH"], epochs=epochs, verbose=0)
            found, _ = book["modes"](np.asarray(gan.sample(DEFINITION["samples"])))
            step = tf.function(gan.train_step)
            losses = [float(step(real)["discriminator loss"]) for real in batches]
            rows.append({"generator_steps": generator_steps, "seed": seed, "modes": found})
            rows[-1] |= {
                "d_loss": round(float(np.mean(losses)), 4),
                "d_loss_std": round(float(np.std(losses)), 4),
            }
            print(rows[-1], flush=True)
    return rows


def try_rates(book, n, epochs):
    """Train each family from half, once and twice its rate; return rows that say how well it went."""
    keras, np = book["keras"], book["np"]
    seed, reference = DEFINITION["seed_of_the_rates"], book["other_half"][:n]
    times_drawn = range(DEFINITION["draws"])
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
        quantiles = [np.quantile(codes, rng.uniform(size=n))[:, None] for _ in times_drawn]
        draws = {"AE": [decoder.predict_on_batch(new_codes) for new_codes in quantiles]}

        keras.utils.set_random_seed(seed)
        gan = book["GAN"]()
        gan.g_optimizer, gan.d_optimizer = (
            book["adam"](rates["GAN"], beta_1=0.5) for _ in range(2)
        )
        gan.g_optimizer.build(gan.generator.trainable_variables)
        gan.d_optimizer.build(gan.discriminator.trainable_variables)
        gan.compile(steps_per_execution=book["STEPS"])
        gan.fit(book["train"], **settings)
        draws["GAN"] = [gan.sample(n) for _ in times_drawn]

        keras.utils.set_random_seed(seed)
        ddpm = book["DDPM"]()
        ddpm.compile(optimizer=optimizers["DDPM"], steps_per_execution=book["STEPS"])
        ddpm.fit(book["train"], **settings)
        noises = rng.normal(size=(len(times_drawn), n, 2)).astype("float32")
        draws["DDPM"] = [book["denoise"](ddpm, noise, book["LEVELS"])[-1] for noise in noises]

        for family, drawn in draws.items():
            rows.append({"family": family, "rate": rates[family]})
            rows[-1] |= measured(book, drawn, reference)
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
    pairs, times_drawn = DEFINITION["seeds_at_equal_steps"], range(DEFINITION["draws"])
    if options.quick:
        seeds, pairs, n, epochs, collapse_epochs = seeds[:1], pairs[:1], 200, 1, 1
    test, train, rows, points = book["test"][:n], book["train"], [], {}
    start = time.perf_counter()

    def row(model, seed, draws, **extra):
        rows.append({"model": model, "seed": seed} | measured(book, draws, test) | extra)
        print(rows[-1], flush=True)
        first = draws[0][: DEFINITION["points_kept"]]
        kept = (f"{x:.2f},{y:.2f}" for x, y in np.asarray(first))
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
        row("real data", seed, [book["draw_data"](n, rng) for _ in times_drawn])
        # One state for all draws, or each would be the same.
        eight = GaussianMixture(8, random_state=np.random.RandomState(seed)).fit(train)
        row("eight normals", seed, [eight.sample(n)[0] for _ in times_drawn])

        keras.utils.set_random_seed(seed)
        encoder, decoder = book["network"](2, 1), book["network"](1, 2)
        autoencoder = keras.Sequential([encoder, decoder])
        autoencoder.compile(
            loss="mse", optimizer=book["adam"](2e-3), steps_per_execution=book["STEPS"]
        )
        seconds = train_for(autoencoder, epochs, train, train)
        codes = encoder.predict_on_batch(train).ravel()
        shape = (len(times_drawn), n, 1)
        for name, new_codes in (
            ("random", codes.mean() + codes.std() * rng.normal(size=shape)),
            ("real", np.quantile(codes, rng.uniform(size=len(times_drawn) * n)).reshape(shape)),
        ):
            draws = [decoder.predict_on_batch(one_draw) for one_draw in new_codes]
            row(f"AE, {name} codes", seed, draws, **seconds)

        for name, generator_steps, length in (
            ("GAN", 1, epochs),
            ("GAN, collapsed", DEFINITION["generator_steps_to_collapse"], collapse_epochs),
        ):
            keras.utils.set_random_seed(seed)
            gan = book["GAN"](generator_steps)
            gan.compile(steps_per_execution=book["STEPS"])
            seconds = train_for(gan, length, train)
            row(name, seed, [gan.sample(n) for _ in times_drawn], **seconds)

        keras.utils.set_random_seed(seed)
        ddpm = book["DDPM"]()
        ddpm.compile(optimizer=book["adam"](1e-2), steps_per_execution=book["STEPS"])
        seconds = train_for(ddpm, epochs, train)
        for steps in DEFINITION["denoising_steps"]:
            noises = rng.normal(size=(len(times_drawn), n, 2)).astype("float32")
            draws = [book["denoise"](ddpm, noise, steps)[-1] for noise in noises]
            row(f"DDPM, {steps} steps", seed, draws, **seconds)

    extra = {"by_rate": try_rates(book, n, epochs), "points": points, "quick": options.quick}
    extra["at_equal_steps"] = at_equal_steps(book, pairs, collapse_epochs)
    seconds = time.perf_counter() - start
    print(write_result("generative", DEFINITION, rows, seconds, folder=options.out, **extra))


if __name__ == "__main__":
    main()
