"""Code for the course on variational autoencoders.

Importing the package is fast because it loads no numerical library. It only sets environment variables, so
that Keras will run on TensorFlow and TensorFlow will not print its start-up messages, and removes one that
would stop NumPy.
"""

import os

__version__ = "0.1.0"

# Choose the backend for this process only; other programs still follow keras.json.
os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND") or "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# A date for reproducible builds, which NumPy and Sphinx take for a number without a further look.
if not os.environ.get("SOURCE_DATE_EPOCH", "0").isdecimal():
    del os.environ["SOURCE_DATE_EPOCH"]
