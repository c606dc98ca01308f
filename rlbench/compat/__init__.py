"""The interfaces of other packages, computed by rlbench."""
