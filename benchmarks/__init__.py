"""How fast the course trains and decodes, against the lecture's script and PyTorch: `make bench`."""
