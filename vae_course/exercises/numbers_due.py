"""The numbers that the exercises ask for, computed, and what the usual mistakes lead to.

Each function returns the number due, how far an answer may be off, and a dictionary from what to tell of a
mistake to the number that it leads to.
"""

import math


def _encoder_parameters():
    convolutions, dense = 9 * 1 * 16 + 9 * 16 * 32, 7 * 7 * 32 * 2
    biases = 16 + 32 + 2
    return (
        convolutions + dense + biases,
        0.5,
        {
            "the biases are missing, one for each kernel and each neuron": convolutions + dense,
            "the second convolution has a 3 x 3 kernel for each pair of 16 and 32 channels": (
                9 * 16 + 9 * 32 + dense + biases
            ),
            "two poolings leave 7 x 7 pixels for the dense layer": (
                convolutions + 28 * 28 * 32 * 2 + biases
            ),
            "after the second pooling there are 7 x 7 pixels, not 14 x 14": (
                convolutions + 14 * 14 * 32 * 2 + biases
            ),
            "the dense layer is missing": convolutions + 16 + 32,
        },
    )


def _posterior_kl(variance=4.0, log=None, factor=0.5):
    return factor * (variance + 1.0 - 1.0 - (math.log(4.0) if log is None else log))


def _kl_of_a_posterior():
    due = _posterior_kl()
    return (
        due,
        0.006,
        {
            "the factor 1/2 is missing": _posterior_kl(factor=1.0),
            "the sign is wrong: a KL divergence is never negative": -due,
            "sigma stands where sigma^2 is due": _posterior_kl(2.0, math.log(2.0)),
            "the logarithm is that of sigma; that of sigma^2 is due": _posterior_kl(
                log=math.log(2.0)
            ),
            "that is in bits; nats are due": due / math.log(2.0),
            "the base of the logarithm is 10; the natural one is due": _posterior_kl(
                log=math.log10(4.0)
            ),
        },
    )


def _gradient_of_one_draw():
    slope, sigma, eps = 2 * (1.0 + 0.5 - 3.0), 1.0, 0.5
    due = slope * 0.5 * sigma * eps
    return (
        due,
        0.005,
        {
            "the sign is wrong: z is below 3": -due,
            "the derivative of sigma by log sigma^2 is sigma / 2": slope * sigma * eps,
            "that is the gradient for mu; asked is the one for log sigma^2": slope,
            "that is f(z): its derivative is due": slope**2 / 4,
            "that is the score function's estimate; asked is the reparameterized one": (
                slope**2 / 4 * 0.5 * (eps**2 - 1)
            ),
        },
    )


def _transposed_parameters():
    weights = 3 * 3 * 32 * 16
    return (
        weights + 16,
        0.5,
        {
            "the biases are missing, one for each channel that comes out": weights,
            "there is one bias for each channel that comes out, not for each that goes in": (
                weights + 32
            ),
            "each kernel has 3 x 3 weights for each pair of channels": 32 * 16 + 16,
            "a kernel has weights for every channel that goes in": 9 * 16 + 16,
        },
    )


def _kl_of_the_lecture():
    loss, mse = 28.217, 0.01979
    return (
        loss - 784 * mse,
        0.03,
        {
            "the mean squared error is a mean over 784 pixels; the loss has their sum": loss - mse,
            "that is the reconstruction error; asked is the other part": 784 * mse,
            "the lecture's code has no factor 1/2 in the reconstruction": loss - 392 * mse,
            "an image has 28 x 28 pixels": loss - 28 * mse,
        },
    )


def _length_half_way():
    due = 3.0 / math.sqrt(2.0)
    return (
        due,
        0.006,
        {
            "that would be the round path": 3.0,
            "that is the length of the sum: half of it is the mid-point": 2 * due,
            "half a side: add the two as vectors": 1.5,
            "the root is missing: that is the squared length": due**2,
        },
    )


NUMBERS = {
    "encoder parameters": _encoder_parameters,
    "KL of a posterior": _kl_of_a_posterior,
    "gradient of one draw": _gradient_of_one_draw,
    "transposed parameters": _transposed_parameters,
    "KL of the lecture": _kl_of_the_lecture,
    "length half-way": _length_half_way,
}
