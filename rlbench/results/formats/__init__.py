"""Readers of files of scores, a module for each family of forms.

A reader takes a path and what the user says of it, and returns a `Table`, which `runs_of` judges
like any other, or a `ScoreFile` where the form itself says what is what. `rlbench.results.files`
chooses the reader.
"""
