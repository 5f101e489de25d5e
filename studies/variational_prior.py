"""Is the race of `studies.variational` fair to the prior? Pixel variances beyond its largest.

For `chapters/variational-autoencoder`. In the race, the variational autoencoder of the largest
variance is the one whose samples from the prior are nearest to real images: the grid's winner lies
at its edge. Here the grid goes on, at the rate that the race tuned for that variance and with new
networks of its seeds. Each draws from its prior and from a mixture.

Run it with `python -m studies.variational_prior`, or `--quick`.
"""

import time

import numpy as np

from helpers import load_images
from studies import variational
from studies.common import arguments, definition_hash, write_result

DEFINITION = variational.DEFINITION | {
    # Most of the code is there: a change of it changes this study, too.
    "race": definition_hash("variational", variational.DEFINITION),
    "rate": 0.02,  # what the race has tuned for a variance of a half
    "variances": [4.0, 2.0, 1.0, 0.5],
}
QUICK = DEFINITION | variational.QUICK | {"variances": [1.0]}


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    x, valid = (
        a.reshape(-1, 784)[: definition["images"]] for a in (images.x_train, images.x_valid)
    )
    measure = variational.Yardsticks(definition, images, x, valid).measure
    rows = []
    for seed in definition["seeds"]:
        rng = np.random.default_rng(seed)
        for variance in definition["variances"]:
            facts, found = variational.of_vae(
                definition, variance, x, valid, rate=definition["rate"], seed=seed, rng=rng
            )
            for name, samples in found.items():
                row = {"part": "prior", "source": name, "seed": seed}
                rows.append(row | facts | measure(samples))
                print(rows[-1], flush=True)
    path = write_result(
        "variational_prior",
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
