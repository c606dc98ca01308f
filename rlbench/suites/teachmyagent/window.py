"""A window that shows pictures as an episode goes on, by pygame."""

import os
import warnings

from rlbench.errors import MissingExtra
from rlbench.suites.teachmyagent.drawing import TALL, WIDTH, Picture


class Window:
    """A window of 600 x 400 pixels.

    Args:
        title: Of the window.
        fps: Pictures a second; `show` waits until it is time for the next.

    Raises:
        MissingExtra: pygame is not installed.
    """

    def __init__(self, title: str, fps: int) -> None:
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        with warnings.catch_warnings():
            # It imports what setuptools has deprecated.
            warnings.simplefilter("ignore")
            try:
                import pygame
            except ImportError:
                raise MissingExtra("the render mode human", "window") from None
        self._pygame, self._fps = pygame, fps
        pygame.display.init()
        self._screen = pygame.display.set_mode((WIDTH, TALL))
        pygame.display.set_caption(title)
        self._clock = pygame.time.Clock()

    def show(self, picture: Picture) -> None:
        """Show a (400, 600, 3) picture."""
        pygame = self._pygame
        pygame.event.pump()
        surface = pygame.image.frombuffer(picture.tobytes(), (WIDTH, TALL), "RGB")
        self._screen.blit(surface, (0, 0))
        pygame.display.flip()
        self._clock.tick(self._fps)

    def close(self) -> None:
        """Close it."""
        self._pygame.display.quit()
