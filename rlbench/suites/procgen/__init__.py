"""Procgen: generalisation to levels that were not trained on."""
