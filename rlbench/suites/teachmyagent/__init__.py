"""TeachMyAgent: curricula on parkour and stump tracks."""
