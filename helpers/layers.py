"""The Keras layers that the chapters teach, in their hardened form."""

from numbers import Integral

import keras
from keras import ops


@keras.saving.register_keras_serializable("autoencoders-measured")
class DenseTranspose(keras.layers.Layer):
    """Runs a `Dense` layer backwards: the same kernel, transposed, and a bias of its own.

    `output = activation(input @ transpose(dense.kernel) + bias)`. The kernel is not copied but
    shared, so that both layers train it. The tie survives `model.save` and `load_model`,
    `save_weights` and `load_weights`, `copy.deepcopy`, and `clone_model` of a flat model; where
    Keras cannot keep it (`clone_model` of a model whose decoder is a model of its own) the copy
    raises an error instead of going on untied.

    Args:
        dense: the `keras.layers.Dense` to run backwards, with a kernel of shape (n, m). It must
            be built when this layer is. A name stands for the one `Dense` of that name among the
            layers that lead to this layer's input: that is how a copy finds its partner.
        activation: the name of a Keras activation, or a function; None is linear.
        **kwargs: what every Keras layer takes: `name`, `dtype`, `trainable`.

    Input and output: (batch, ..., m) to (batch, ..., n), in the layer's compute dtype.

    Raises:
        TypeError: `dense` is not a `Dense` layer.
        ValueError: when built or called, because `dense` has no kernel yet, its kernel does not
            fit the input or is quantised, or its name leads to no `Dense` layer, or to several.

    Example:
        dense = keras.layers.Dense(30)
        encoder = keras.Sequential([keras.Input((784,)), dense])
        decoder = keras.Sequential([keras.Input((30,)), DenseTranspose(dense)])
        autoencoder = keras.Sequential([encoder, decoder])

    Source: Vincent et al. 2008, doi:10.1145/1390156.1390294 (autoencoders with tied weights).
    """

    def __init__(self, dense, activation=None, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(dense, keras.layers.Dense | str):
            raise TypeError(f"DenseTranspose runs a Dense layer backwards, not {dense!r}")
        self.activation = keras.activations.get(activation)
        self.supports_masking = True
        self.dense = self.dense_name = None
        self._tie(dense)

    def _tie(self, dense):
        if isinstance(dense, str):
            self.dense_name = dense
        else:
            self.dense, self.dense_name = dense, dense.name
            _mark_as_shared(dense)

    def __call__(self, inputs, *args, **kwargs):
        """Find the `Dense` if only its name is known, then do what every Keras layer does."""
        if self.dense is None:
            self._tie(_find_dense(self.dense_name, inputs, self.name))
            self.built = False  # Keras has just noted a copy as built (see `build_from_config`)
        return super().__call__(inputs, *args, **kwargs)

    def build(self, input_shape):
        """Check that the kernel fits, and create the bias."""
        width = self.compute_output_shape(input_shape)[-1]
        self.bias = self.add_weight(name="bias", shape=(width,), initializer="zeros")
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: input_shape[-1]})

    def build_from_config(self, config):
        """Build the layer on the way from a file; a copy waits for its first call."""
        if self.dense is not None:
            super().build_from_config(config)

    def compute_output_shape(self, input_shape):
        """Return the input's shape with the kernel's number of rows as its last entry."""
        if self.dense is None or not self.dense.built:
            raise ValueError(
                f"{self.name} needs the kernel of {self.dense_name}, which has none yet: give the "
                "encoder a keras.Input, or call it once, before this layer is used"
            )
        rows, columns = self.dense.kernel.shape
        if len(input_shape) < 2 or input_shape[-1] != columns:
            raise ValueError(
                f"{self.name} runs {self.dense_name} ({rows} to {columns}) backwards, so it needs "
                f"inputs of shape (batch, ..., {columns}), not {tuple(input_shape)}"
            )
        return (*input_shape[:-1], rows)

    def call(self, inputs):
        """Multiply by the transposed kernel, add the bias, apply the activation."""
        kernel = self.dense.kernel
        if not keras.backend.is_float_dtype(kernel.dtype):
            raise ValueError(
                f"{self.name} cannot use the kernel of {self.dense_name}: it has been quantised "
                f"to {kernel.dtype}"
            )
        return self.activation(ops.matmul(inputs, ops.transpose(kernel)) + self.bias)

    def get_config(self):
        """Return the settings; the `Dense` stands in them as a shared object, or by its name."""
        dense = keras.saving.serialize_keras_object(self.dense)
        if not (dense and "shared_object_id" in dense):  # not on the way to a file: a copy
            dense = self.dense_name
        activation = keras.activations.serialize(self.activation)
        return super().get_config() | {"dense": dense, "activation": activation}

    @classmethod
    def from_config(cls, config):
        """Rebuild the layer, tied to the `Dense` that the same file holds, or to be tied by name."""
        dense = config["dense"]
        if not isinstance(dense, str):
            dense = keras.saving.deserialize_keras_object(dense)
        return super().from_config(config | {"dense": dense})


@keras.saving.register_keras_serializable("autoencoders-measured")
class TopK(keras.layers.Layer):
    """Keeps the `k` largest positive entries of every example and sets all others to zero.

    `output = relu(input)` where an entry is among the k largest of its last axis, else 0. Fewer
    than k stay where fewer are positive; entries that tie with the k-th largest all stay. The
    gradient passes through what is kept.

    Args:
        k: int, at least 1: how many entries may stay.
        **kwargs: what every Keras layer takes: `name`, `dtype`.

    Input and output: (batch, ..., n) with n >= k, in the layer's compute dtype.

    Raises:
        TypeError: `k` is not an integer.
        ValueError: `k` is below 1, or, when built, above the input's last axis or that axis has
            no fixed length.

    Sources: Makhzani & Frey 2014, arXiv:1312.5663 (k-sparse autoencoders); with the ReLU, Gao et
    al. 2024, arXiv:2406.04093.
    """

    def __init__(self, k, **kwargs):
        super().__init__(**kwargs)
        if isinstance(k, bool) or not isinstance(k, Integral):
            raise TypeError(f"TopK keeps a whole number of entries, not {k!r}")
        if k < 1:
            raise ValueError(f"TopK keeps at least one entry, not {k}")
        self.k = int(k)
        self.supports_masking = True

    def build(self, input_shape):
        """Check that there are k entries to keep."""
        width = input_shape[-1]
        if width is None or width < self.k:
            raise ValueError(
                f"{self.name} keeps {self.k} entries, but the last axis of its input has {width}"
            )
        self.input_spec = keras.layers.InputSpec(axes={-1: width})

    def compute_output_shape(self, input_shape):
        """Return the input's shape."""
        return input_shape

    def call(self, inputs):
        """Find the k-th largest entry of every example, and keep what is not below it."""
        least = ops.top_k(inputs, self.k)[0][..., -1:]
        return ops.where(inputs >= least, ops.relu(inputs), ops.zeros_like(inputs))

    def get_config(self):
        """Return the settings."""
        return super().get_config() | {"k": self.k}


def _mark_as_shared(dense):
    """Let Keras know, whenever it writes `dense` to a file, that other layers refer to it.

    Keras gives an object an id in the file only when it serialises it for the second time. In a
    nested model that is too late: by then the encoder's part of the file is complete, without the
    id, and loading would make two layers of one. So the first time serialises the layer twice.
    """
    if "get_build_config" in vars(dense):
        return
    get_build_config = dense.get_build_config
    serialising = False

    def serialise_with_shared_id():
        nonlocal serialising
        if not serialising:
            serialising = True
            try:
                keras.saving.serialize_keras_object(dense)
            finally:
                serialising = False
        return get_build_config()

    dense.get_build_config = serialise_with_shared_id


def _find_dense(name, inputs, for_layer):
    """Return the `Dense` called `name` among the layers that lead to the symbolic `inputs`."""
    found = []

    def search(layers):
        for layer in layers:
            if isinstance(layer, keras.Model):
                search(layer.layers)
            elif isinstance(layer, keras.layers.Dense) and layer.name == name:
                found.append(layer)

    sources = keras.utils.get_source_inputs(inputs)
    # An array tells nothing of its origin, and a model's own input has none.
    if isinstance(sources, list) and all(source is not inputs for source in sources):
        search(keras.Model(sources, inputs, name="search").layers)
    if len(set(map(id, found))) != 1:
        raise ValueError(
            f"{for_layer} is a copy that cannot find its Dense layer: {len(found)} layers called "
            f"{name} lead to its input. clone_model ties a copy only if encoder and decoder are "
            "the layers of one flat model; copy.deepcopy(model) and a .keras file keep the tie in "
            "every model"
        )
    return found[0]


@keras.saving.register_keras_serializable("autoencoders-measured")
class Sample(keras.layers.Layer):
    """The code of a variational autoencoder: draws it, and charges for what it says.

    The first half of the input holds the means of the code's k numbers, the second half the
    logarithms of their variances v. In training the code is `mean + exp(log v / 2) * noise` with
    standard normal noise; otherwise it is the mean, as with Keras' other layers that add noise.
    Either way the layer adds the loss `2 * variance / features * KL`, where KL is the divergence,
    in nats per image, of that normal distribution from the standard one. Beside a mean squared
    error over `features` pixels this makes `features / (2 * variance)` times the loss the negative
    evidence lower bound, without its constant, for pixels with normal noise of that variance.

    Args:
        variance: float above 0, the variance of a pixel around its reconstruction, in squared
            units of the pixels (σ²).
        features: int above 0, the numbers in an image: what the mean squared error divides by.
        seed: int for noise that can be repeated, or None. Each call draws new noise either way.
        **kwargs: what every Keras layer takes: `name`, `dtype`.

    Input and output: (batch, ..., 2k) to (batch, ..., k), in the layer's compute dtype. KL is
    computed in float32.

    Raises:
        ValueError: `variance` or `features` is not above 0; when built, because the input's last
            axis is unknown or odd.

    Example:
        encoder = keras.Sequential([keras.Input((784,)), keras.layers.Dense(2 * 30)])
        decoder = keras.Sequential([keras.Input((30,)), keras.layers.Dense(784)])
        vae = keras.Sequential([encoder, Sample(variance=0.5), decoder])

    Source: Kingma & Welling 2014, arXiv:1312.6114.
    """

    def __init__(self, variance, features=784, seed=None, **kwargs):
        super().__init__(**kwargs)
        for name, value in (("variance", variance), ("features", features)):
            if not value > 0:
                raise ValueError(f"Sample needs a {name} above 0, not {value!r}")
        self.variance, self.features, self.seed = float(variance), int(features), seed
        # A generator moves on with every call. A number as a seed would repeat the same noise.
        self.noise = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        """Check that the input splits into means and logarithms of variances."""
        self.compute_output_shape(input_shape)

    def compute_output_shape(self, input_shape):
        """Return the input's shape with half of its last axis."""
        width = input_shape[-1]
        if width is None or width % 2:
            raise ValueError(
                f"{self.name} needs inputs of shape (batch, ..., 2k), a mean and a logarithm of "
                f"the variance for each of k code numbers, not {tuple(input_shape)}"
            )
        return (*input_shape[:-1], width // 2)

    def call(self, inputs, training=False):
        """Add the weighted divergence; draw the code, or return its mean."""
        mean, log_variance = ops.split(ops.cast(inputs, "float32"), 2, axis=-1)
        divergence = (ops.square(mean) + ops.exp(log_variance) - 1 - log_variance) / 2
        per_image = ops.sum(divergence) / ops.cast(ops.shape(mean)[0], "float32")
        self.add_loss(2 * self.variance / self.features * per_image)
        if training:
            noise = keras.random.normal(ops.shape(mean), dtype="float32", seed=self.noise)
            mean = mean + ops.exp(log_variance / 2) * noise
        return ops.cast(mean, self.compute_dtype)

    def get_config(self):
        """Return the settings."""
        own = {"variance": self.variance, "features": self.features, "seed": self.seed}
        return super().get_config() | own
