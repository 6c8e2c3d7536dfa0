"""Train and evaluate from the command line: what `vae-course train` and `evaluate` do."""
