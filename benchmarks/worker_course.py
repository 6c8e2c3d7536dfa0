"""Train and decode the course's own network in turns, and measure the machine's peak arithmetic."""

import dataclasses
import math
import statistics
import time

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from vae_course import pretrained, training
from vae_course.data import load_digits
from vae_course.lesson import begin
from vae_course.models import build_decoder, build_encoder


def train(channel, recipe, seed, turns, images, dataset="mnist", passes=0):
    """Train for `turns` epochs (None takes the recipe's number), then evaluate `passes` times."""
    begin(seed)
    digits = load_digits(dataset)
    data = dataclasses.replace(digits, x_train=digits.x_train[:images])
    channel.start_clock()
    callbacks = [channel.callback(keras.callbacks.Callback)]
    recipe = training.find(recipe, data.name)
    vae = training.build(recipe, data, epochs=turns, seed=seed)
    options = {
        "callbacks": callbacks,
        "validate": False,
        "products": training.arithmetic(vae, len(digits.x_train)),
    }
    training.fit(vae, recipe, data, turns, seed, **options)

    def score():
        options = {"batch_size": 500, "verbose": 0, "return_dict": True}
        runs = [vae.evaluate(data.x_test, **options) for _ in range(passes)]
        return {key: statistics.mean(run[key] for run in runs) for key in ("loss", "mse")}

    channel.done(*([score] if passes else []))


def seconds_of(call, repeats):
    """Return how many seconds each of several calls takes, after two that are not counted."""
    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times[2:]


def decode(channel, repeats, single_repeats, dataset="mnist"):
    """Encode and decode many images, and decode single vectors as a slider does, all in one turn."""
    begin(1)
    vae, _ = pretrained.load("vae-100-mnist")
    images, options = load_digits(dataset).x_test, {"batch_size": 500, "verbose": 0}
    channel.begin(turns=1)
    z = vae.encoder.predict(images, **options)[0]
    many = {
        "encode": lambda: vae.encoder.predict(images, **options),
        "decode": lambda: vae.decoder.predict(z, **options),
    }
    one, traced = z[:1], tf.function(vae.decoder)
    single = {
        "decoder(z)": lambda: np.asarray(vae.decoder(one)),
        "tf.function(decoder)(z)": lambda: np.asarray(traced(tf.constant(one))),
        "decoder.predict(z)": lambda: vae.decoder.predict(one, verbose=0),
    }
    rates, milliseconds = {}, {}
    for way, call in many.items():
        rates[way] = len(images) / statistics.median(seconds_of(call, repeats))
    for way, call in single.items():
        times = np.percentile(seconds_of(call, single_repeats), [50, 95])
        milliseconds[way] = [1e3 * float(seconds) for seconds in times]
    channel.end(images_per_second=rates, one_vector_ms=milliseconds)
    channel.done()


def multiply_adds(layer):
    """Return the multiply-adds of one layer for one image, without activations and biases."""
    if isinstance(layer, layers.Conv2DTranspose):
        return math.prod(layer.input.shape[1:3]) * math.prod(layer.kernel.shape)
    if isinstance(layer, layers.Conv2D):
        return math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
    return math.prod(layer.kernel.shape) if isinstance(layer, layers.Dense) else 0


def matmul(channel, turns, size=2048, repeats=10):
    """Estimate this machine's float32 peak by the product of two large matrices."""
    networks = build_encoder(100), build_decoder(100)
    # A multiply-add is 2, and the backward pass takes twice as many as the forward pass.
    flop = 6 * sum(multiply_adds(layer) for network in networks for layer in network.layers)
    left, right = tf.random.normal((size, size)), tf.random.normal((size, size))
    product = tf.function(lambda: tf.reduce_sum(tf.linalg.matmul(left, right)))
    for _ in range(turns):
        channel.begin(turns=turns, flop_per_image=flop)
        seconds = min(seconds_of(lambda: product().numpy(), repeats))
        channel.end(gflops=2 * size**3 / seconds / 1e9)
    channel.done()
