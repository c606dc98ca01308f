"""Where runs are executed: on this machine, on a Ray cluster, by SLURM; one supervision of all."""
