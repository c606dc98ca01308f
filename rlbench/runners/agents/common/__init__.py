"""What the agents written in torch share: networks, policies, batches and how they are saved.

Importing `rlbench` imports none of it.
"""
