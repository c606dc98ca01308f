"""The DeepMind Control Suite on an engine of its own: many simulations in one batch."""
