"""What the table of `studies.which` leaves open: ten times the training, and the rivals' seconds.

For `chapters/which-autoencoder`. Three of its networks, the usual one and the two that draw best, learn
for `epochs` with the rates that `studies.which` has tuned for fewer, and do every task; strangers
excepted. Each rival that needs a fit is fitted once, with the settings that its own study has chosen;
`seconds` are of the processor.

Run it with `python -m studies.which_long`, or `--quick`.
"""

import resource
import time

import keras
import numpy as np
from sklearn.decomposition import PCA
from sklearn.svm import SVC

from helpers import read_result
from studies import denoising, denoising_unet, variational, which
from studies.common import arguments, definition_hash, write_result

KEPT = ("C_100", "C_5000", "passes", "C", "gamma")
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
    "gaussians": 90,
    "rival_components": {"PCA-300": 300, "Gaussian": 64},
    "U-Net": denoising_unet.DEFINITION | {"rate": 0.02},
    "diffusion": variational.DEFINITION["diffusion"] | {"epochs": 100, "rate": 0.004},
    "seeds": [0, 1, 2],
}
SMALLER = {key: value for key, value in which.QUICK.items() if key not in ("borrowed", "labels")}
QUICK = (
    DEFINITION
    | SMALLER
    | {
        "networks": ["dense"],
        "gaussians": 2,
        "rival_components": {"PCA-300": 30, "Gaussian": 10},
        "U-Net": denoising_unet.QUICK | {"rate": 0.02},
        "diffusion": variational.DEFINITION["diffusion"] | {"epochs": 1, "rate": 0.004},
        "labels": {"100": 1},
    }
)


def train_for_longer(study):
    """Train networks for longer and measure them like the others."""
    how = study.how
    for name in how["networks"]:
        trainer = which.trainers(how)[name]
        for seed in how["seeds"]:
            coder = study.train(trainer, study.x, how["rates"][name], seed)
            study.measure(name, coder, seed, how["settings"][name])


def fits(study):
    """Return each rival's fit, by its name, as a function of nothing."""
    how, x, rng = study.how, study.x, np.random.default_rng(0)
    some = x[: max(map(int, how["labels"]))]
    inputs, labels = (some - some.mean(axis=0)) / some.std(), study.y[: len(some)]
    penalty = study.tune_classifier(lambda x: x, len(some), which.regression, 0.03, 3)
    svm = how["settings"]["SVM on pixels"]  # the last of them: for the most labels

    def sample_components():
        pca = PCA(how["rival_components"]["PCA-300"], svd_solver="covariance_eigh").fit(x)
        scores = pca.transform(x)
        variational.draw_mixture(scores, how["clusters"], how["samples"], rng)

    def train_unet():
        settings = how["U-Net"]
        with_channel, options = x.reshape(-1, 28, 28, 1), {"rate": settings["rate"], "seed": 0}
        denoising_unet.train(settings, how["noise"], with_channel, **options)

    def train_diffusion():
        settings = how["diffusion"]
        coder = which.whole(which.dense, 2)(x, which.DEFINITION, how["rates"]["dense"])
        codes = coder.encode(x)
        codes = (codes - codes.mean(axis=0)) / codes.std(axis=0)
        variational.train_diffusion(settings, codes, rate=settings["rate"], seed=0)

    return {
        "best matrix": lambda: denoising.fit_gaussians(x, 1),
        "mixture of Gaussians": lambda: denoising.fit_gaussians(x, how["gaussians"]),
        "U-Net": train_unet,
        "regression on what is seen": lambda: np.cov(x.T),
        "Gaussian": lambda: which.of_components(x, how["rival_components"]["Gaussian"]),
        "regression on pixels": lambda: which.regression(penalty).fit(inputs, labels),
        "SVM on pixels": lambda: SVC(C=svm["C"], gamma=svm["gamma"]).fit(inputs, labels),
        "PCA-300": sample_components,
        "diffusion on codes": train_diffusion,
    }


def time_the_rivals(study):
    """Fit each rival once and keep the processor's seconds."""
    for name, fit in fits(study).items():
        keras.utils.set_random_seed(0)
        start = time.process_time()
        fit()
        study.add("rival", name, seconds=round(time.process_time() - start, 2))


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    study = which.Study(QUICK if options.quick else DEFINITION)
    cpu = time.process_time()
    time_the_rivals(study)
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
