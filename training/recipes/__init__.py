"""One module a recipe: what to train, what it costs and what to expect."""
