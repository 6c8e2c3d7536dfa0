"""Compare how fast the course trains and decodes with the lecture's script and PyTorch (`make bench`)."""
