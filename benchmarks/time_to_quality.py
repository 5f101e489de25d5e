"""How long until an autoencoder is as good as the common recipe after twenty epochs?

Five trainings take turns, each in a fresh process, so that imports, tracing and memory are its own:

- `common`: 784-100-30-100-784, ReLU everywhere, Nadam, batches of 32, twenty epochs;
- `same network`: the same network, trained by the book's `fit`;
- `book`: the book's model, GELU and a linear code, as many parameters, trained by `fit`;
- `plain Keras`: the book's model and optimiser, trained by Keras' own `fit`;
- `PyTorch`: the same again in plain PyTorch, with the order of products that `fit` uses in Muon
  (skipped, visibly, where it is not installed).

A training has *reached* the goal at its first validation error at or below the last one of
`common` in the same round. Every clock includes the validations (5,000 images each, after every
epoch); the training's clock starts before its model is built.

Run it on an idle machine with `python -m benchmarks.time_to_quality` (about 15 minutes).
"""

import importlib.util
import itertools
import json
import math
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.common import (
    arguments,
    code_hash,
    fresh_process,
    peak_memory,
    read_result,
    write_result,
)
from helpers import load_images, training_flops

NAME = "time_to_quality"
SIZES = [784, 100, 30, 100, 784]
DEFINITION = {
    "seeds": [0, 1, 2, 0, 1],  # one for each round
    "sizes": SIZES,
    "common": {"hidden": "relu", "code": "relu", "batch_size": 32, "epochs": 20},
    "same network": {"hidden": "relu", "code": "relu", "batch_size": 128, "epochs": 4},
    "book": {"hidden": "gelu", "code": "linear", "batch_size": 128, "epochs": 1},
    "learning_rate": 0.01,  # of Muon; the common recipe keeps Nadam's default
    "validation": 5_000,
    "steady_epochs": 3,  # a second training, on all images; its later epochs are timed
    "peak": [2048, 12],  # a product of square matrices of this size, the best of so many
}
QUICK = DEFINITION | {
    "seeds": [0],
    "common": DEFINITION["common"] | {"epochs": 2},
    "same network": DEFINITION["same network"] | {"epochs": 1},
    "steady_epochs": 2,
    "peak": [256, 2],
    "validation": 500,
    "limit": 256,  # training images
}
TRAININGS = {
    "common": "common",
    "same network": "same network",
    "book": "book",
    "plain Keras": "book",
    "PyTorch": "book",
}


def main(argv=None):
    """Run the rounds that are missing, and write `time_to_quality.json` after each."""
    options = arguments(
        __doc__.split("\n")[0],
        argv,
        rounds={"type": int, "default": 99, "help": "at most so many (a later call resumes)"},
        again={"action": "store_true", "help": "start anew"},
        work={"help": "(internal) run one training in this process"},
        seed={"type": int, "default": 0, "help": "(internal)"},
    )
    definition = QUICK if options.quick else DEFINITION
    if options.work:
        print(json.dumps(work(options.work, options.seed, definition)))
        return
    rounds = [] if options.quick or options.again else done(definition, options.out)
    for seed in definition["seeds"][len(rounds) :][: options.rounds]:
        rounds.append(one_round(seed, options.quick))
        write_result(
            NAME,
            definition,
            options.out,
            quick=options.quick,
            rounds=rounds,
            summary=summary(rounds, definition),
        )
        print(table(rounds), flush=True)
    print(f"{len(rounds)} of {len(definition['seeds'])} rounds: {options.out / NAME}.json")


def done(definition, folder):
    """Return the rounds that an interrupted run of the same code has left."""
    if not (folder / f"{NAME}.json").exists():
        return []
    result = read_result(NAME, folder)
    same = result["code_hash"] == code_hash(NAME, definition)
    return result["rounds"] if same and len(result["rounds"]) < len(definition["seeds"]) else []


def one_round(seed, quick):
    """Run every training once, one after the other, and put their times beside each other."""
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed: its column is skipped (pip install torch==2.13.0).")
    names = [n for n in TRAININGS if n != "PyTorch" or importlib.util.find_spec("torch")]

    def run(name):
        options = ["--work", name, "--seed", str(seed), *["--quick"] * quick]
        return fresh_process("benchmarks.time_to_quality", *options)

    # Alone, so that nobody is in the way; only a quick run, which times nothing, may hurry.
    with ThreadPoolExecutor(2 if quick else 1) as pool:
        *runs, peak = pool.map(run, [*names, "peak"])
    goal = runs[0]["curve"][-1][1]
    trainings = {}
    for name, report in zip(names, runs, strict=True):
        at = next((clock for clock, error in report["curve"] if error <= goal), None)
        trainings[name] = {
            "mse": report["curve"][-1][1],
            "training_seconds": at and round(at - report["begun"], 2),
            "process_seconds": at and round(at - report["started"], 2),
            "epoch_seconds": round(report["epoch_seconds"], 3),
            "memory_mb": round(report["memory_mb"]),
        } | {key: report[key] for key in ("parameters", "torch") if key in report}
    return {"seed": seed, "goal": goal, "peak_gflops": peak["gflops"], "trainings": trainings}


def work(name, seed, definition):
    """Run one training in this process; return its clock, its curve, its speed and its memory."""
    if name == "peak":
        return {"gflops": matrix_peak(*definition["peak"])}
    if name == "PyTorch":  # every process pays for its own imports, before `begun`
        import torch
    else:
        from helpers import fit  # noqa: F401
    images = load_images()
    x, v = (a.reshape(len(a), -1) for a in (images.x_train, images.x_valid))
    x, v = x[: definition.get("limit")], v[: definition["validation"]]
    train = torch_training if name == "PyTorch" else keras_training
    begun = time.time()
    curve, parameters = train(name, seed, x, v, definition[TRAININGS[name]]["epochs"])
    report = {"begun": begun, "curve": curve, "parameters": parameters}
    report["memory_mb"] = peak_memory()
    clocks = [clock for clock, _ in curve]
    if len(clocks) < 2:
        clocks = [c for c, _ in train(name, seed, x, v, definition["steady_epochs"])[0]]
    pauses = [after - before for before, after in itertools.pairwise(clocks)]
    if name == "PyTorch":
        report["torch"] = torch.__version__
    return report | {"epoch_seconds": statistics.median(pauses)}


def matrix_peak(size, repetitions):
    """Return the most GFLOP/s that float32 matrix products reach here, NumPy's or TensorFlow's."""
    import numpy as np
    import tensorflow as tf

    best = 0
    for product in (np.matmul, tf.linalg.matmul):
        a = np.random.default_rng(0).random((size, size), dtype=np.float32)
        if product is not np.matmul:
            a = tf.constant(a)
        for _ in range(repetitions):
            start = time.perf_counter()
            np.asarray(product(a, a))[0, 0]
            best = max(best, 2 * size**3 / (time.perf_counter() - start) / 1e9)
    return round(best, 1)


def keras_training(name, seed, x, v, epochs):
    """Train once with Keras; return [(clock, validation MSE) of each epoch] and the parameters."""
    import keras
    from keras import layers

    from helpers import fit

    settings = DEFINITION[TRAININGS[name]]
    hidden, code, batch_size = (settings[key] for key in ("hidden", "code", "batch_size"))
    keras.utils.set_random_seed(seed)
    activations = [hidden, code, hidden, "linear"]
    model = keras.Sequential([keras.Input((SIZES[0],))])
    for units, activation in zip(SIZES[1:], activations, strict=True):
        model.add(layers.Dense(units, activation=activation))
    curve = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: curve.append((time.time(), logs["val_loss"]))
    )
    if name in ("book", "same network"):
        rate = DEFINITION["learning_rate"]
        fit(
            model,
            x,
            epochs=epochs,
            validation_data=v,
            batch_size=batch_size,
            learning_rate=rate,
            callbacks=[watch],
            verbose=False,
        )
    else:
        optimizer = "nadam"
        if name == "plain Keras":
            steps = math.ceil(len(x) / batch_size) * epochs
            schedule = keras.optimizers.schedules.CosineDecay(DEFINITION["learning_rate"], steps)
            optimizer = keras.optimizers.Muon(schedule)
        model.compile(loss="mse", optimizer=optimizer)
        model.fit(
            x,
            x,
            batch_size=batch_size,
            epochs=epochs,
            validation_data=(v, v),
            callbacks=[watch],
            verbose=0,
        )
    return curve, model.count_params()


def torch_training(name, seed, x, v, epochs):
    """Do the same in PyTorch: the book's network, its initial distribution, Muon, the schedule."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    x, v = torch.tensor(x), torch.tensor(v)
    batch_size, rate = DEFINITION["book"]["batch_size"], DEFINITION["learning_rate"]
    chain = []
    for inputs, outputs in itertools.pairwise(SIZES):
        dense = nn.Linear(inputs, outputs)
        nn.init.xavier_uniform_(dense.weight)
        nn.init.zeros_(dense.bias)
        chain += [dense, nn.GELU()]
    model = nn.Sequential(*chain[:3], *chain[4:7])  # no activation after the code and the output
    matrices = [p for p in model.parameters() if p.ndim == 2]
    biases = [p for p in model.parameters() if p.ndim == 1]
    optimizers = [
        muon(torch)(matrices, {"lr": rate, "weight_decay": 0.004}),
        torch.optim.AdamW(biases, lr=rate, weight_decay=0.004, eps=1e-7),  # as Keras' Muon does
    ]
    steps = math.ceil(len(x) / batch_size) * epochs
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(o, steps) for o in optimizers]
    curve = []
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(batch_size):
            images = x[batch]
            loss = nn.functional.mse_loss(model(images), images)
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss.backward()
            for optimizer, schedule in zip(optimizers, schedules, strict=True):
                optimizer.step()
                schedule.step()
        with torch.no_grad():
            error = nn.functional.mse_loss(model(v), v).item()
        curve.append((time.time(), error))
    return curve, sum(p.numel() for p in model.parameters())


def muon(torch):
    """Return Muon for PyTorch: float32, and the products in the order of `helpers.training.Muon`.

    PyTorch's own Muon iterates in bfloat16, which makes it 15 times slower on a CPU without it.
    """

    class Muon(torch.optim.Optimizer):
        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    m = self.state[p].setdefault("momentum", torch.zeros_like(p))
                    m.mul_(0.95).add_(p.grad)
                    update = orthogonal(torch.add(p.grad, m, alpha=0.95))
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(update, alpha=-0.2 * group["lr"] * math.sqrt(max(p.shape)))

    def orthogonal(x):
        x = x / (x.norm() + 1e-7)
        tall = x.shape[0] > x.shape[1]
        gram = x.T @ x if tall else x @ x.T
        product = None
        for iteration in range(5):
            factor = torch.addmm(gram, gram, gram, beta=-4.7750, alpha=2.0315)
            factor.diagonal().add_(3.4445)
            product = factor if product is None else factor @ product
            if iteration < 4:
                gram = factor @ (gram @ factor)
        return x @ product if tall else product @ x

    return Muon


def summary(rounds, definition):
    """Return medians over the rounds, and how many times sooner than `common` each one was."""
    images = definition.get("limit", 55_000)
    found = {}
    for name in rounds[0]["trainings"]:
        runs = [r["trainings"][name] for r in rounds]
        row = {}
        for key in ("training_seconds", "process_seconds", "epoch_seconds", "memory_mb", "mse"):
            values = [run[key] for run in runs if run[key] is not None]
            row[key] = round(statistics.median(values), 5) if values else None
            row[f"{key}_range"] = [min(values), max(values)] if values else None
        row["reached"] = sum(run["training_seconds"] is not None for run in runs)
        for key in ("training_seconds", "process_seconds"):
            ratios = [
                r["trainings"]["common"][key] / r["trainings"][name][key]
                for r in rounds
                if r["trainings"][name][key]
            ]
            median = round(statistics.median(ratios), 2) if ratios else None
            row[key.replace("seconds", "ratio")] = median
            row[key.replace("seconds", "ratios")] = [round(ratio, 2) for ratio in ratios]
        peak = statistics.median(r["peak_gflops"] for r in rounds)
        network = training_flops(SIZES, images, optimizer="adam")
        row["gflops"] = round(network / row["epoch_seconds"] / 1e9, 1)
        row["share_of_peak"] = round(row["gflops"] / peak, 3)
        if name in ("book", "same network"):
            batch_size = definition["book"]["batch_size"]
            both = training_flops(SIZES, images, batch_size=batch_size, optimizer="muon")
            row["gflops_with_optimizer"] = round(both / row["epoch_seconds"] / 1e9, 1)
        found[name] = row
    return found


def table(rounds):
    """Return the last round as text."""
    last = rounds[-1]
    lines = [f"seed {last['seed']}, goal {last['goal']:.5f}, peak {last['peak_gflops']} GFLOP/s"]
    for name, run in last["trainings"].items():
        lines.append(f"  {name:13} " + "  ".join(f"{key} {value}" for key, value in run.items()))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
