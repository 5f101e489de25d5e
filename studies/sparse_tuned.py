"""Does the study `sparse` rank its rivals at their best?

For `chapters/sparse-autoencoder`. Three things that `sparse` leaves open:

- Dead atoms: there, all ways to train TopK share one rate. Here each has a rate of its own, tuned by
  doubling and halving on the validation images with a seed that the results do not use; and images
  that are not centred get a decoder with a bias, which starts at the mean image, as a further way.
- MOD: there, it sees 10,000 images eight times. Here it sees all images as often as TopK does, in
  slices, fresh ones each turn. Into how many is tuned in the same way.
- Positions: there, nobody counts what they cost. Here they are named all alike, by log2 C(m, k) bits,
  or each by how often training images choose it; a number is 8 bits.

Run it with `python -m studies.sparse_tuned`, or `--quick`.
"""

import itertools
import time

import keras
import numpy as np
from keras import layers
from scipy.special import gammaln

from helpers import TopK, load_images
from studies import sparse
from studies.common import STUDIES, arguments, code_hash, code_reached, write_result

BORROWED = {
    *("Task", "halves", "chain", "train", "plain", "annealed", "resampled", "not_centred"),
    *("second_output", "encode", "keep_largest", "tuned_rate", "random_images", "pursue", "unit"),
    *("readings", "stability", "mse"),
}
DEFINITION = {
    key: sparse.DEFINITION[key]
    for key in ("atoms", "numbers", "batch", "epochs", "second_weight", "l1_weights")
} | {
    "ways": ["not centred", "with a bias", "plain", "annealed", "resampled", "second output"],
    "first_rate": 0.003,
    "first_slices": 4,
    "bits": 8,
    "counted_on": 20_000,
    "tuning_seed": 9,
    "seeds": [0, 1, 2],
    "images": None,
    "borrowed": code_hash({}, *code_reached(BORROWED, [STUDIES / "sparse.py"])),
}
QUICK = DEFINITION | {
    "atoms": 64,
    "numbers": [5, 10],
    "epochs": 1,
    "ways": ["with a bias", "second output"],
    "first_slices": 2,
    "seeds": [0, 1],
    "images": 500,
}


# Dead atoms


class Picture(layers.Layer):
    """Adds a learned picture to every drawing."""

    def build(self, shape):
        """Make the picture, black at first."""
        self.picture = self.add_weight(shape=shape[1:], initializer="zeros")

    def call(self, drawn):
        """Add the picture."""
        return drawn + self.picture


def with_a_bias(task, encoder, decoder, k, rate):
    """Train on the images as they are; return what the decoder adds, at first the mean image."""
    added = Picture()
    added.build((None, 784))
    added.picture.assign(task.mean)
    parts = [keras.Input((784,)), encoder, TopK(k), decoder, added]
    sparse.train(keras.Sequential(parts), task, rate, x=task.x + task.mean)
    return added.picture.numpy()


def train(task, name, seed, rate):
    """Train TopK with its fewest active units; return the layers, dead atoms and error."""
    way = with_a_bias if name == "with a bias" else getattr(sparse, name.replace(" ", "_"))
    k, shift = task.numbers[0], task.mean if name in {"not centred", "with a bias"} else 0
    pair = encoder, decoder = sparse.halves(task, seed)
    added = way(task, encoder, decoder, k, rate)
    drawn = sparse.encode(encoder, task.valid + shift, k) @ decoder.kernel.numpy()
    if added is not None:
        drawn += added
    used = sparse.encode(encoder, task.x[:20_000] + shift, k).sum(axis=0)
    return pair, int((used == 0).sum()), sparse.mse(task.valid + shift, drawn)


def dead_atoms(task):
    """Tune the rate of every way, then train it with every seed; yield a row for each."""
    for name in task.definition["ways"]:
        dead_by_rate = {}

        def error(rate, name=name, dead_by_rate=dead_by_rate):
            _, dead_by_rate[f"{rate:g}"], wrong = train(
                task, name, task.definition["tuning_seed"], rate
            )
            return wrong

        rate, tried = sparse.tuned_rate(task.definition["first_rate"], error)
        row = {"part": "tuning", "arm": name, "rate": rate, "error_by_rate": tried}
        yield row | {"dead_by_rate": dead_by_rate}
        for seed in task.seeds:
            pair, dead, wrong = train(task, name, seed, rate)
            if name == "second output":
                task.kept["TopK", task.numbers[0], seed] = pair
            row = {"part": "dead", "arm": name, "k": task.numbers[0], "seed": seed, "rate": rate}
            yield row | {"dead": dead, "mse": wrong}


# MOD with as many images as TopK


def improved(task, k, seed, slices):
    """Return MOD's atoms (Engan et al. 1999) after as many passes over all images as TopK's."""
    generator, atoms = np.random.default_rng(seed), sparse.random_images(task, seed)
    for _ in range(task.definition["epochs"]):
        for few in np.array_split(generator.permutation(len(task.x)), slices):
            seen = task.x[few]
            codes = sparse.pursue(seen, atoms, k)
            unused = np.abs(codes).sum(axis=0) == 0
            square = codes.T @ codes + 1e-3 * np.eye(len(atoms), dtype="float32")
            atoms = np.linalg.solve(square, codes.T @ seen)
            atoms[unused] = seen[generator.choice(len(seen), unused.sum(), replace=False)]
            atoms = sparse.unit(atoms).astype("float32")
    return atoms


def dictionaries(task):
    """Tune MOD's slices, then run it with every seed; yield its errors and readings."""
    small, valid = task.numbers[0], task.valid
    labels, firing = task.images.y_valid[: len(valid)], {}

    def error(slices):
        atoms = improved(task, small, task.definition["tuning_seed"], max(round(slices), 1))
        return sparse.mse(valid, sparse.pursue(valid, atoms, small) @ atoms)

    slices, tried = sparse.tuned_rate(task.definition["first_slices"], error)
    slices = max(round(slices), 1)
    yield {"part": "tuning", "arm": "MOD", "slices": slices, "error_by_slices": tried}
    for k, seed in itertools.product(task.numbers, task.seeds):
        atoms = task.kept["MOD", k, seed] = improved(task, k, seed, slices)
        wrong = sparse.mse(valid, sparse.pursue(valid, atoms, k) @ atoms)
        yield {"part": "mod", "arm": "MOD", "k": k, "seed": seed, "mse": wrong}
    for seed in task.seeds:
        atoms = task.kept["MOD", small, seed]
        codes = np.maximum(sparse.pursue(valid, atoms, small, positive=True), 0)
        firing[seed] = atoms[(codes > 0).sum(axis=0) >= sparse.FIRING]
        row = {"part": "atoms", "arm": "MOD, OMP", "seed": seed}
        yield row | sparse.readings(codes, labels)
    for a, b in itertools.combinations(task.seeds, 2):
        if min(len(firing[a]), len(firing[b])):
            row = {"part": "stability", "arm": "MOD", "seeds": [a, b]}
            yield row | sparse.stability(firing[a], firing[b])


# Positions


def bits_alike(m, k):
    """Return the bits that name k of m positions, all choices alike."""
    return float((gammaln(m + 1) - gammaln(k + 1) - gammaln(m - k + 1)) / np.log(2))


def bits_as_counted(chosen, seen):
    """Return the mean bits of an image's positions, each named by how often `seen` chose it.

    Args:
        chosen: bool array (images, positions), what is to be named.
        seen: bool array (other images, positions), what is counted.
    """
    p = (seen.sum(axis=0) + 0.5) / (len(seen) + 1)
    return float(-np.where(chosen, np.log2(p), np.log2(1 - p)).sum(axis=1).mean())


def positions(task):
    """Yield what positions cost, and the error of PCA's first coefficients at equal bits."""
    valid, x = task.valid, task.x[: task.definition["counted_on"]]
    left_out = (
        np.square(valid @ task.pca.T).mean(axis=0, dtype="float64")[::-1].cumsum()[::-1] / 784
    )

    def row(arm, k, seed, atoms, coder):
        codes, seen = coder(valid), coder(x)
        found = {"part": "positions", "arm": arm, "k": k, "seed": seed}
        found["mse"] = sparse.mse(valid, codes @ atoms)
        bits = {
            "alike": bits_alike(len(atoms), k),
            "counted": bits_as_counted(codes != 0, seen != 0),
        }
        for how, cost in bits.items():
            first = min(round(k + cost / task.definition["bits"]), 783)
            found |= {f"{how}_bits": cost, f"{how}_first": first}
            found[f"{how}_first_mse"] = float(left_out[first])
        return found

    for k in task.numbers:

        def largest(z, k=k):
            codes = z @ task.pca.T
            least = -np.partition(-np.abs(codes), k - 1, axis=1)[:, k - 1 : k]
            return np.where(np.abs(codes) >= least, codes, 0)

        yield row("best of PCA", k, None, task.pca, largest)
        for seed in task.seeds:
            for arm, atoms in (
                ("images", sparse.random_images(task, seed)),
                ("MOD", task.kept["MOD", k, seed]),
            ):

                def pursued(z, k=k, atoms=atoms):
                    return sparse.pursue(z, atoms, k)

                yield row(arm, k, seed, atoms, pursued)
            if ("TopK", k, seed) in task.kept:
                encoder, decoder = task.kept["TopK", k, seed]

                def encoded(z, k=k, encoder=encoder):
                    return sparse.encode(encoder, z, k)

                yield row("TopK", k, seed, decoder.kernel.numpy(), encoded)


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    task, rows = sparse.Task(definition, images), []
    parts = (dead_atoms, dictionaries, positions)
    for row in itertools.chain.from_iterable(part(task) for part in parts):
        rows.append(row)
        print(f"{time.perf_counter() - start:.0f} s", row, flush=True)
    path = write_result(
        "sparse_tuned",
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
