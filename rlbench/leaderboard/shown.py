"""Figures that notebooks show by themselves; apart, because matplotlib is optional."""

import io

from matplotlib.figure import Figure

_DPI = 130


class ShownFigure(Figure):
    """A figure that a notebook shows as a picture, whether or not pyplot was imported."""

    def _repr_png_(self) -> bytes:
        self.savefig(picture := io.BytesIO(), format="png", dpi=_DPI)
        return picture.getvalue()
