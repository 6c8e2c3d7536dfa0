"""Helpers of the course on variational autoencoders.

Importing the package is quick: it loads no numerical library. It only asks TensorFlow, which a lesson
loads later, to keep its start-up messages to itself, and Keras to run on TensorFlow.
"""

import os

__version__ = "0.1.0"

# Nobody has asked this process for another one; what keras.json says, every other program still finds.
os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND") or "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
