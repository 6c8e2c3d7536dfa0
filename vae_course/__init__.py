"""Code for the course on variational autoencoders.

Importing the package is fast because it loads no numerical library. It only sets environment variables, so
that Keras will run on TensorFlow and TensorFlow will not print its start-up messages.
"""

import os

__version__ = "0.1.0"

# Choose the backend for this process only; other programs still follow keras.json.
os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND") or "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
