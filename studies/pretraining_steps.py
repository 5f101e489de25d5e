"""Does a deep sigmoid network from random weights only need more steps? Three times as many.

For `chapters/unsupervised-pretraining`. In `studies/pretraining.py` all networks are trained in the
same number of steps. Here the one that pretraining rescues gets three times as many, from the
same random weights, with the same labelled images, and its rate is searched in the same way:
on the validation images, with label subsets that the results do not use.

Run it with `python -m studies.pretraining_steps`, or `--quick`.
"""

import time

from studies import pretraining
from studies.common import arguments, write_result

NAME = "pretraining_steps"
DEFINITION = pretraining.DEFINITION | {
    # No epochs: nothing is pretrained.
    "nets": {"deep": pretraining.NETS["deep"] | {"epochs": 0}},
    "parts": {"deep": {"deep random": {"way": "random", "net": "deep"}}},
    "comparisons": [],
    "steps": 3000,
    "searches": {"random": {"rate": [0.003, 3]}},
    "probe_seeds": 0,
    "few_labels_arms": [],
}
QUICK = DEFINITION | {
    **{"labels": [60], "steps": 3, "tuning_seeds": [1000], "deep_seeds": [0, 1], "images": 600},
}


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    data = pretraining.Data(definition)
    settings, rows, _ = pretraining.compute_part(definition, data, "deep")
    path = write_result(
        NAME,
        definition,
        rows,
        time.perf_counter() - start,
        folder=options.out,
        quick=options.quick,
        settings=[{"arm": arm, "labels": n} | s for arm, n, s in settings],
    )
    print(f"{len(rows)} rows: {path}")


if __name__ == "__main__":
    main()
