"""This machine's float32 peak, as far as a large matrix product reaches it, in turns."""

import time

import tensorflow as tf

from benchmarks.flops import training_flop
from benchmarks.turns import Turns, settings
from vae_course.models import build_decoder, build_encoder


def best_gflops(size, repeats):
    """Return the GFLOP/s of the fastest of several products of two `size` x `size` matrices."""
    left, right = tf.random.normal((size, size)), tf.random.normal((size, size))
    product = tf.function(lambda: tf.reduce_sum(tf.linalg.matmul(left, right)))
    product()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        product().numpy()
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds) / 1e9


def main(turns, size=2048, repeats=10):
    """Measure the peak `turns` times."""
    channel = Turns()
    flop = training_flop(build_encoder(100), build_decoder(100))
    for _ in range(turns):
        channel.begin(turns=turns, flop_per_image=flop)
        channel.end(gflops=best_gflops(size, repeats))
    channel.done()


if __name__ == "__main__":
    main(**settings())
