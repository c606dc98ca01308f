"""Disturbances of any gymnasium environment."""
