"""Train, evaluate and explore from the command line: `vae-course train`, `sweep`, `evaluate`, `explore`."""
