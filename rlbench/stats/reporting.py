"""What a paper has to say of its statistics, ready to be pasted."""

from rlbench import __version__
from rlbench.stats.intervals import Method, check_options

BIBTEX = {
    "agarwal2021deep": """@inproceedings{agarwal2021deep,
  title = {Deep Reinforcement Learning at the Edge of the Statistical Precipice},
  author = {Agarwal, Rishabh and Schwarzer, Max and Castro, Pablo Samuel and Courville, Aaron C.
            and Bellemare, Marc G.},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2021}
}""",
    "rao1988resampling": """@article{rao1988resampling,
  title = {Resampling Inference with Complex Survey Data},
  author = {Rao, J. N. K. and Wu, C. F. J.},
  journal = {Journal of the American Statistical Association},
  volume = {83},
  number = {401},
  pages = {231--241},
  year = {1988}
}""",
    "davison1997bootstrap": """@book{davison1997bootstrap,
  title = {Bootstrap Methods and their Application},
  author = {Davison, A. C. and Hinkley, D. V.},
  publisher = {Cambridge University Press},
  year = {1997}
}""",
    "korn1998confidence": """@article{korn1998confidence,
  title = {Confidence Intervals for Proportions with Small Expected Number of Positive Counts
           Estimated from Survey Data},
  author = {Korn, Edward L. and Graubard, Barry I.},
  journal = {Survey Methodology},
  volume = {24},
  pages = {193--201},
  year = {1998}
}""",
    "efron1987better": """@article{efron1987better,
  title = {Better Bootstrap Confidence Intervals},
  author = {Efron, Bradley},
  journal = {Journal of the American Statistical Association},
  volume = {82},
  number = {397},
  pages = {171--185},
  year = {1987}
}""",
    "rlbench": """@software{rlbench,
  title = {rlbench: a benchmark and evaluation suite for reinforcement learning},
  author = {{The rlbench developers}},
  version = {VERSION},
  year = {2026}
}""".replace("VERSION", __version__),
}

HOW = {
    "rao-wu": (
        "each resample draws, with replacement and within each task, one run fewer than the task "
        "has, which makes the variance of means unbiased at few runs~\\citep{rao1988resampling}; "
        "the ends are percentiles of the replicates",
        "rao1988resampling",
    ),
    "percentile": (
        "each resample draws, with replacement and within each task, as many runs as the task has; "
        "the ends are percentiles of the replicates~\\citep{agarwal2021deep}",
        "agarwal2021deep",
    ),
    "basic": (
        "each resample draws, with replacement and within each task, as many runs as the task has; "
        "the ends are percentiles of the replicates, reflected about the estimate"
        "~\\citep{davison1997bootstrap}",
        "davison1997bootstrap",
    ),
    "bca": (
        "each resample draws, with replacement and within each task, as many runs as the task has; "
        "the ends are corrected for bias and skewness~\\citep{efron1987better}",
        "efron1987better",
    ),
}


def methods_text(
    *,
    runs: tuple[int, int],
    tasks: int,
    normalised_by: str,
    method: Method = "rao-wu",
    repetitions: int = 10_000,
    level: float = 0.95,
    successes: bool = False,
) -> str:
    """Return a paragraph on how `summarise` made its numbers, in LaTeX, and the BibTeX it cites.

    Args:
        runs: The least and the greatest number of runs a task.
        tasks: The number of tasks.
        normalised_by: What scores are normalised by, or nothing.
        method: Of the intervals.
        repetitions: Resamples.
        level: Nominal coverage.
        successes: Whether an agent's scores are all 0 or 1, which have intervals of their own.

    Raises:
        InvalidScores: An option is out of range.
        UnknownName: There is no such method.
    """
    check_options(method, repetitions, level)
    how, cited = HOW[method]
    least, most = runs
    number = f"{least} to {most} runs" if least < most else f"{least} run{'s' * (most > 1)}"
    scale = f"normalised by {normalised_by}" if normalised_by else "not normalised"
    interval = (
        f"Intervals are nominal {level * 100:g}\\% stratified bootstrap intervals from "
        f"{repetitions:,} resamples: {how}. They speak of these tasks, not of others, and the "
        "median is reported without one."
    )
    if successes and method == "rao-wu":
        interval += (
            " Intervals of scores that are all 0 or 1 are those of Clopper and Pearson for an "
            "effective number of runs~\\citep{korn1998confidence}."
        )
    if least < 2:
        interval = "With one run on a task there are no intervals."
    paragraph = (
        f"We report the interquartile mean (IQM), the mean, the median and the optimality gap over "
        f"{tasks} task{'s' * (tasks > 1)} with {number} a task~\\citep{{agarwal2021deep}}; "
        f"scores are {scale}. {interval} "
        f"All were computed with rlbench {__version__}~\\citep{{rlbench}}."
    )
    keys = ["agarwal2021deep", "rlbench"]
    if least >= 2 and cited not in keys:
        keys.insert(1, cited)
    if "korn1998confidence" in interval:
        keys.insert(-1, "korn1998confidence")
    return "\n\n".join([paragraph, *(BIBTEX[key] for key in keys)])
