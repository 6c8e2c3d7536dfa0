"""Grade a class: each submission runs in a cage, and what it answers is judged outside."""
