"""The agents that come with rlbench."""
