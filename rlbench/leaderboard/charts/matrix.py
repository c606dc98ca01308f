"""The chart of probabilities of improvement: a matrix of agents."""

from collections.abc import Sequence

from rlbench.leaderboard.charts.look import (
    CELL,
    DATA,
    DIVERGING,
    INTERVAL,
    ON_PALE,
    ON_STRONG,
    STRONG,
    Spec,
    distinct,
    kept,
    library,
    specify,
)
from rlbench.leaderboard.plots import Row


def improvement_chart(rows: Sequence[Row]) -> Spec:
    """Chart probabilities of improvement: a matrix, X down and Y across.

    Args:
        rows: Of ``x``, ``y`` (agents), ``point`` (P(X > Y)), ``low`` and ``high`` (or None). Pairs
            that are not there stay holes.

    Raises:
        InvalidScores: There is no row, or a number is not finite.
        MissingExtra: Altair is not installed.
    """
    alt = library("altair")
    cells_of = kept(rows, ("x", "y"), ("point", "low", "high"))
    agents = distinct(name for row in cells_of for name in (row["x"], row["y"]))
    cells = alt.Scale(domain=agents, paddingInner=0.06, paddingOuter=0)
    base = (
        alt.Chart()
        .transform_calculate(percent="100 * datum.point", interval=INTERVAL)
        .encode(
            x=alt.X("y:N", title="Y", scale=cells, axis=alt.Axis(labelAngle=-45)),
            y=alt.Y("x:N", title="X", scale=cells),
            tooltip=[
                alt.Tooltip("x:N", title="X"),
                alt.Tooltip("y:N", title="Y"),
                alt.Tooltip("point:Q", title="P(X > Y)", format=".3f"),
                alt.Tooltip("interval:N", title="Interval"),
            ],
        )
    )
    colour = alt.Color(
        "point:Q",
        scale=alt.Scale(domain=[0, 0.5, 1], range=list(DIVERGING), interpolate="rgb"),
        legend=alt.Legend(title="P(X > Y)", format=".0%", gradientLength=150, values=[0, 0.5, 1]),
    )
    written = alt.condition(
        f"abs(datum.point - 0.5) > {STRONG}", alt.value(ON_STRONG), alt.value(ON_PALE)
    )
    size = alt.ExprRef(expr="max(7, min(11, bandwidth('x') * 0.6))")
    chart = alt.layer(
        base.mark_rect().encode(color=colour),
        base.mark_text(fontSize=size).encode(
            text=alt.Text("percent:Q", format=".0f"), color=written
        ),
    )
    # Without data of its own each layer would have none.
    layered = chart.properties(data=alt.NamedData(name=DATA)).to_dict(validate=False)
    description = "Probabilities that a run of X scores higher than one of Y."
    return specify(layered, cells_of, description, height=CELL * len(agents))
