"""How long each rival in the table of `studies.which` takes to be fitted.

For `chapters/which-autoencoder`. Every rival that needs a fit is fitted once with each seed, with the
settings that its own study has chosen; `seconds` are of the processor.

Run it with `python -m studies.which_seconds`, or `--quick`.
"""

import time

import keras
import numpy as np
from sklearn.decomposition import PCA
from sklearn.svm import SVC

from helpers import read_result
from studies import denoising, denoising_unet, variational, which
from studies.common import arguments, definition_hash, write_result

RESULT = read_result("which")["rows"]
DEFINITION = which.DEFINITION | {
    "race": definition_hash("which", which.DEFINITION),
    "rate": next(r["rate"] for r in RESULT if r["part"] == "rate" and r["model"] == "dense"),
    # The last of its settings is for the most labels.
    "svm": [{key: r[key] for key in ("C", "gamma")} for r in RESULT if "gamma" in r][-1],
    "gaussians": 90,
    "rival_components": {"PCA-300": 300, "Gaussian": 64},
    "U-Net": denoising_unet.DEFINITION | {"rate": 0.02},
    "diffusion": variational.DEFINITION["diffusion"] | {"epochs": 100, "rate": 0.004},
}
SMALLER = {key: value for key, value in which.QUICK.items() if key not in ("borrowed", "labels")}
QUICK = (
    DEFINITION
    | SMALLER
    | {
        "gaussians": 2,
        "rival_components": {"PCA-300": 30, "Gaussian": 10},
        "U-Net": denoising_unet.QUICK | {"rate": 0.02},
        "diffusion": variational.DEFINITION["diffusion"] | {"epochs": 1, "rate": 0.004},
        "labels": {"100": 1},
    }
)


def fits(study):
    """Return each rival's fit, by its name, as a function of the seed."""
    how, x = study.how, study.x
    some = x[: max(map(int, how["labels"]))]
    inputs, labels = (some - some.mean(axis=0)) / some.std(), study.y[: len(some)]
    penalty = study.tune_classifier(lambda x: x, len(some), which.regression, 0.03, 3)

    def sample_components(seed):
        pca = PCA(how["rival_components"]["PCA-300"], svd_solver="covariance_eigh").fit(x)
        scores, random = pca.transform(x), np.random.default_rng(seed)
        variational.draw_mixture(scores, how["clusters"], how["samples"], random)

    def train_unet(seed):
        settings = how["U-Net"]
        with_channel, options = x.reshape(-1, 28, 28, 1), {"rate": settings["rate"], "seed": seed}
        denoising_unet.train(settings, how["noise"], with_channel, **options)

    def train_diffusion(seed):
        settings = how["diffusion"]
        coder = which.whole(which.dense, 2)(x, which.DEFINITION, how["rate"])
        codes = coder.encode(x)
        codes = (codes - codes.mean(axis=0)) / codes.std(axis=0)
        variational.train_diffusion(settings, codes, rate=settings["rate"], seed=seed)

    return {
        "best matrix": lambda seed: denoising.fit_gaussians(x, 1),
        "mixture of Gaussians": lambda seed: denoising.fit_gaussians(x, how["gaussians"]),
        "U-Net": train_unet,
        "regression on what is seen": lambda seed: np.cov(x.T),
        "Gaussian": lambda seed: which.of_components(x, how["rival_components"]["Gaussian"]),
        "regression on pixels": lambda seed: which.regression(penalty).fit(inputs, labels),
        "SVM on pixels": lambda seed: SVC(**how["svm"]).fit(inputs, labels),
        "PCA-300": sample_components,
        "diffusion on codes": train_diffusion,
    }


def time_the_rivals(study):
    """Fit each rival with every seed and keep the processor's seconds."""
    for name, fit in fits(study).items():
        for seed in study.how["seeds"]:
            keras.utils.set_random_seed(seed)
            start = time.process_time()
            fit(seed)
            study.add("rival", name, seed=seed, seconds=round(time.process_time() - start, 2))


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    study = which.Study(QUICK if options.quick else DEFINITION)
    time_the_rivals(study)
    path = write_result(
        "which_seconds",
        study.how,
        study.rows,
        time.perf_counter() - study.start,
        folder=options.out,
        quick=options.quick,
        data=study.name,
    )
    print(path)


if __name__ == "__main__":
    main()
