"""Train and evaluate from the command line: what `vae-course train`, `sweep` and `evaluate` do."""
