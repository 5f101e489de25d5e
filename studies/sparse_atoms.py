"""One trained TopK network, for everybody to look at.

For `chapters/sparse-autoencoder`. Which atoms a network learns depends on the last digit of its
first steps, so every processor draws others. The chapter trains a network of its own and looks at
this one: the study `sparse`'s TopK with ten active units, its rate and its first seed. Stored are the
atoms (the decoder's rows, norm one), the encoder's columns and its bias, as bytes from −127 to 127
with one scale a row; the errors are those of the network as it is stored.

Run it with `python -m studies.sparse_atoms`, or `--quick`.
"""

import base64
import time

import numpy as np

from helpers import load_images, read_result
from helpers.explorer_parts import pack, significant
from studies import sparse
from studies.common import STUDIES, arguments, code_hash, code_reached, write_result

DEFINITION = sparse.DEFINITION | {
    "k": 10,
    "seeds": [0],
    "borrowed": code_hash({}, *code_reached({"Task", "top_k"}, [STUDIES / "sparse.py"])),
}
QUICK = DEFINITION | {"atoms": 64, "k": 5, "epochs": 1, "images": 2000}


def packed(rows):
    """Return rows of numbers as {"bytes": base64 of one signed byte each, "scales": one a row}."""
    scales = np.maximum(np.abs(rows).max(axis=1), 1e-9) / 127
    whole = np.round(rows / scales[:, None])
    return {"bytes": pack(whole, "i1"), "scales": [significant(scale, 5) for scale in scales]}


def unpacked(stored):
    """Return the rows of numbers that `packed` has packed, as float32."""
    whole = np.frombuffer(base64.urlsafe_b64decode(stored["bytes"]), "int8")
    scales = np.array(stored["scales"], "float32")
    return whole.reshape(len(scales), -1) * scales[:, None]


def tuned_rate():
    """Return the rate that the study `sparse` has found for TopK."""
    rows = read_result("sparse")["rows"]
    return next(row["rate"] for row in rows if row["part"] == "tuning" and row["arm"] == "TopK")


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    task, rows = sparse.Task(definition, images), []
    (seed,), k = definition["seeds"], definition["k"]
    encoder, decoder = sparse.top_k(task, k, seed, rate=tuned_rate())
    stored = {
        "atoms": packed(decoder.kernel.numpy()),
        "encoder": packed(encoder.kernel.numpy().T),
        "bias": [significant(value, 5) for value in encoder.bias.numpy()],
    }
    atoms, columns = unpacked(stored["atoms"]), unpacked(stored["encoder"])
    codes = sparse.keep_largest(task.valid @ columns.T + np.array(stored["bias"], "float32"), k)
    rows.append({"seed": seed, "k": k, "mse": sparse.mse(task.valid, codes @ atoms)})
    print(rows[-1], flush=True)
    path = write_result(
        "sparse_atoms",
        definition,
        rows,
        time.perf_counter() - start,
        folder=options.out,
        quick=options.quick,
        data=images.name,
        network=stored,
    )
    print(path)


if __name__ == "__main__":
    main()
