"""Encoding and decoding with the shipped network: many images at once, and one as a slider does."""

import statistics
import time

import numpy as np

from benchmarks.turns import Turns, settings
from vae_course.data import load_digits
from vae_course.lesson import begin


def seconds_of(call):
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def throughput(encoder, decoder, images, repeats):
    """Return the images per second of encoding and of decoding, medians over repeats."""
    z = encoder.predict(images, batch_size=500, verbose=0)[0]
    decoder.predict(z, batch_size=500, verbose=0)
    ways = {
        "encode": lambda: encoder.predict(images, batch_size=500, verbose=0),
        "decode": lambda: decoder.predict(z, batch_size=500, verbose=0),
    }
    rows = [{way: seconds_of(call) for way, call in ways.items()} for _ in range(repeats)]
    return {way: len(images) / statistics.median(row[way] for row in rows) for way in ways}


def latency(decoder, repeats):
    """Return, for each way to decode one vector, median and 95th percentile in milliseconds."""
    import tensorflow as tf

    z = np.random.default_rng(0).standard_normal((1, decoder.input_shape[-1])).astype("float32")
    traced = tf.function(decoder)
    ways = {
        "decoder(z)": lambda: np.asarray(decoder(z)),
        "tf.function(decoder)(z)": lambda: np.asarray(traced(tf.constant(z))),
        "decoder.predict(z)": lambda: decoder.predict(z, verbose=0),
    }
    for call in ways.values():  # tracing
        call(), call()
    rows = [{way: seconds_of(call) for way, call in ways.items()} for _ in range(repeats)]
    milliseconds = {way: [1e3 * row[way] for row in rows] for way in ways}
    return {
        way: {"median_ms": statistics.median(times), "p95_ms": float(np.percentile(times, 95))}
        for way, times in milliseconds.items()
    }


def main(repeats, single_repeats, dataset="mnist", checkpoint="vae-100-mnist"):
    """Measure both in one turn."""
    channel = Turns()
    begin(1)
    from vae_course import pretrained

    vae, _ = pretrained.load(checkpoint)
    images = load_digits(dataset).x_test
    channel.begin(turns=1)
    facts = throughput(vae.encoder, vae.decoder, images, repeats)
    channel.end(images_per_second=facts, one_vector=latency(vae.decoder, single_repeats))
    channel.done()


if __name__ == "__main__":
    main(**settings())
