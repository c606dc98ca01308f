"""What the command line and `import rlbench` do: scores gathered, answers as data, runs."""
