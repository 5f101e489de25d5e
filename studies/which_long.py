"""What the table of `studies.which` leaves open: ten times the training.

For `chapters/which-autoencoder`. Three of its networks, the usual one and the two that draw best, learn
for `epochs` with the rates that `studies.which` has tuned for fewer, and do every task; strangers
excepted. `seconds` are of the processor.

Run it with `python -m studies.which_long`, or `--quick`.
"""

import resource
import time

from helpers import read_result
from studies import which
from studies.common import arguments, definition_hash, write_result

KEPT = ("C_100", "C_5000", "passes")
RESULT = read_result("which")["rows"]
DEFINITION = which.DEFINITION | {
    "race": definition_hash("which", which.DEFINITION),
    "epochs": 30,
    "networks": ["dense", "sparse", "convolutional"],
    "rates": {row["model"]: row["rate"] for row in RESULT if row["part"] == "rate"},
    "settings": {
        row["model"]: {key: row[key] for key in row if key in KEPT}
        for row in RESULT
        if row["part"] == "settings"
    },
}
SMALLER = {key: value for key, value in which.QUICK.items() if key not in ("borrowed", "labels")}
QUICK = DEFINITION | SMALLER | {"networks": ["dense"], "labels": {"100": 1}}


def train_for_longer(study):
    """Train networks for longer and measure them like the others."""
    how = study.how
    for name in how["networks"]:
        trainer = which.trainers(how)[name]
        for seed in how["seeds"]:
            coder = study.train(trainer, study.x, how["rates"][name], seed)
            study.measure(name, coder, seed, how["settings"][name])


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    study = which.Study(QUICK if options.quick else DEFINITION)
    cpu = time.process_time()
    train_for_longer(study)
    path = write_result(
        "which_long",
        study.how,
        study.rows,
        time.perf_counter() - study.start,
        folder=options.out,
        quick=options.quick,
        data=study.name,
        cpu_seconds=round(time.process_time() - cpu),
        memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )
    print(path)


if __name__ == "__main__":
    main()
