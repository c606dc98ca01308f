"""Teachers that come with rlbench."""
