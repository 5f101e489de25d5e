"""Pretraining's rivals with 100 labels, on as many label subsets as pretraining itself.

For `chapters/unsupervised-pretraining`. In `studies.pretraining`, the pretrained network and the
random one have thirty label subsets with 100 labels, and logistic regression on the pixels has
eight. Here it has the same thirty, at the setting that `studies.pretraining` chose for it, in that
study's code: the first eight are repeated, not new. The SVM has two widths, because their
validation results were as good as equal.

Run it with `python -m studies.pretraining_rivals`, or `--quick`.
"""

import time

import numpy as np

from studies import pretraining
from studies.common import arguments, definition_hash, write_result

NARROW, WIDE = "pixels + SVM", "pixels + SVM, gamma 0.5"
PARTS = pretraining.PARTS
DEFINITION = {
    # Most of the code is there: a change of it changes this study, too.
    "pretraining": definition_hash("pretraining", pretraining.DEFINITION),
    "labels": pretraining.DEFINITION["few_labels"],
    "settings": {
        "pixels + logistic regression": {"C": 0.9},
        NARROW: {"C": 10, "gamma": 1},
        WIDE: {"C": 10, "gamma": 0.5},
        "easy frozen": {"C": 0.3},
        "easy fine-tuned": {"rate": 0.001 / 3},
    },
    "comparisons": [
        ["easy fine-tuned", "pixels + logistic regression"],
        [NARROW, "pixels + logistic regression"],
        [WIDE, "pixels + logistic regression"],
    ],
    "seeds": pretraining.DEFINITION["few_labels_seeds"],
    "new_from": len(pretraining.DEFINITION["seeds"]),
}
QUICK = DEFINITION | {"labels": 50, "seeds": [0, 1, 2], "new_from": 1}


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    limits = pretraining.QUICK if options.quick else pretraining.DEFINITION
    data = pretraining.Data(limits)
    arms = PARTS["features"] | {WIDE: PARTS["features"][NARROW]} | PARTS["easy"]
    arms = {arm: how for arm, how in arms.items() if arm in definition["settings"]}
    shared = pretraining.Shared(limits | {"parts": {"all": arms}}, data, "all")
    n = definition["labels"]
    settings = {(arm, n): setting for arm, setting in definition["settings"].items()}
    correct, rows = {arm: [] for arm in arms}, []
    for seed in definition["seeds"]:
        run = pretraining.SeedRun(shared, seed, data.pool)
        for arm in arms:
            correct[arm].append(run.correct(arm, n, "test", settings[arm, n], settings))
            row = {"arm": arm, "labels": n, "seed": seed}
            rows.append(row | {"accuracy": float(np.mean(correct[arm][-1]))})
        print(*rows[-len(arms) :], sep="\n", flush=True)
    differences = []
    for first_seed in (0, definition["new_from"]):
        for arm, other in definition["comparisons"]:
            pair = (np.array(correct[name][first_seed:]) for name in (arm, other))
            row = {"arms": [arm, other], "labels": n, "first_seed": first_seed}
            differences.append(row | pretraining.compare(*pair))
    path = write_result(
        "pretraining_rivals",
        definition,
        rows,
        time.perf_counter() - start,
        folder=options.out,
        quick=options.quick,
        data=data.name,
        differences=differences,
    )
    print(path)


if __name__ == "__main__":
    main()
