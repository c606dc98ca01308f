"""The domains of the suite: how episodes start, what is seen, what is rewarded."""
