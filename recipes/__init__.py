"""Recipes: a network, its data and its training, one command each: `python -m recipes.digits`. Results: README.md."""
