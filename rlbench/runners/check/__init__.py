"""The contracts of agents and of suites, executed."""
