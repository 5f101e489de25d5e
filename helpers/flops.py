"""The book's one count of floating-point operations."""

import itertools
import math

NEWTON_SCHULZ_STEPS = 5
# Their updates go number by number: no matrix product, and so nothing that is counted here.
ELEMENTWISE = ("adam", "nadam", "sgd")


def training_flops(
    network, images, epochs=1, *, batch_size=128, optimizer="muon", tied=False, encode=False
):
    """Count the floating-point operations that it takes to train a chain of layers.

    What is counted are the matrix products, each of which is one multiplication and one addition
    a term. Per image, a weight is used forward, for its own gradient, and for the gradient of its
    layer's input, which the first layer does not need; the weight of a convolution at every place
    where its kernel is laid down, at the border too. Once in a step, the optimiser adds its own.
    Biases, activations, the loss and updates that go number by number are left out: here they come
    to a few operations per unit or per weight, where the products take hundreds.

    Args:
        network: sequence of int, the units of `Dense` layers from the input to the output: 784,
            100, 30, 100, 784. Or a built Keras model, whose `Dense`, `Conv2D` and
            `Conv2DTranspose` layers follow one another.
        images: int, training images.
        epochs: int, passes over them.
        batch_size: int, images in a step; the last one of an epoch may be smaller.
        optimizer: str, "muon" as `fit` has it; or "adam", "nadam" or "sgd", which multiply no
            matrices and add nothing.
        tied: bool, whether the second half of the layers borrows the kernels of the first half
            (see `DenseTranspose`). The network's products stay the same; the optimiser's halve.
        encode: bool, whether the trained first half then encodes all images once, as in greedy
            layer-wise training between one autoencoder and the next.

    Returns:
        int, the number of operations.

    Raises:
        ValueError: the optimiser is not known, a tied or encoding network has no two equal halves,
            or a layer with weights is of another kind.

    Example:
        training_flops([784, 100, 30, 100, 784], images=55_000, optimizer="adam")  # 45.1e9
    """
    links = _model_links(network) if hasattr(network, "layers") else _dense_links(network)
    kernels = [kernel for kernel, _ in links]
    half = kernels[: len(kernels) // 2]
    if (tied or encode) and kernels != half + [pair[::-1] for pair in half[::-1]]:
        raise ValueError("There are no two halves that mirror each other in this network.")
    products = [rows * columns * places for (rows, columns), places in links]
    flops = epochs * images * (6 * sum(products) - 2 * products[0])
    if optimizer == "muon":
        stored = half if tied else kernels
        flops += epochs * math.ceil(images / batch_size) * sum(map(_muon_flops, stored))
    elif optimizer not in ELEMENTWISE:
        known = ", ".join(("muon", *ELEMENTWISE))
        raise ValueError(f"The operations of {optimizer!r} are not known; known are {known}.")
    if encode:
        flops += 2 * images * sum(products[: len(half)])
    return flops


def multiply_adds(model):
    """Count the multiplications, each with its addition, that one image costs on its way through.

    Args:
        model: a built Keras model of `Dense`, `Conv2D` and `Conv2DTranspose` layers, and of layers
            without weights. Skip connections do not matter here.

    Returns:
        int: for a `Dense` layer its weights; for a convolution its weights times the places where
        its kernel is laid down, those at the border included.

    Raises:
        ValueError: a layer with weights is of another kind.
    """
    return sum(rows * columns * places for (rows, columns), places in _model_links(model))


def _dense_links(sizes):
    """Return the matrix of every `Dense` layer as (rows, columns), each with one place."""
    return [(pair, 1) for pair in itertools.pairwise(sizes)]


def _model_links(model):
    """Return the matrix of every layer as (rows, columns), and the places where it multiplies."""
    links = []
    for layer in model.layers:
        kind = type(layer).__name__
        if hasattr(layer, "layers"):
            links += _model_links(layer)
        elif kind in ("Dense", "Conv2D", "Conv2DTranspose"):
            *rows, columns = layer.kernel.shape
            # A convolution has its kernel at each place of its output, a transposed one of its
            # input: the smaller of the two.
            shapes = (layer.input.shape, layer.output.shape)
            places = min(math.prod(shape[1:-1]) for shape in shapes)
            links.append(((math.prod(rows), columns), places))
        elif layer.weights:
            raise ValueError(f"The operations of a {kind} layer are not known.")
    return links


def _muon_flops(kernel):
    """Count the products by which `helpers.training.Muon` orthogonalises one update.

    With the short side m and the long side n: the square XXᵀ and the last product take 2 m²n each.
    In between are the squares of side m, four products an iteration of 2 m³ each; the last
    iteration needs only two of them, since nothing reads what its other two would update.
    """
    m, n = min(kernel), max(kernel)
    return 2 * 2 * m**2 * n + (4 * NEWTON_SCHULZ_STEPS - 2) * 2 * m**3
