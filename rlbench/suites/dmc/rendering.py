"""Pictures of simulations, as dm_control renders them: the same shadows and anti-aliasing."""

import importlib
import os
import sys
from contextlib import suppress
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from rlbench.errors import UsageError, one_line

_BACKENDS = ("egl", "osmesa")
_MAX_GEOMS = 10_000
_MEND = "apt install libegl1 libegl-mesa0 libgl1-mesa-dri, or libosmesa6 libgl1"


class Camera:
    """A camera of a model, with an OpenGL context of its own.

    Args:
        model: What is seen.
        camera: The camera's number in the model.
        height: Of pictures.
        width: Of pictures.

    Attributes:
        backend: The OpenGL backend in use, e.g. ``egl``.

    Raises:
        UsageError: No OpenGL backend works here.
    """

    def __init__(self, model: mujoco.MjModel, camera: int, height: int, width: int) -> None:
        self._model = model
        self.backend, self._gl, self._context = _open_context(model)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._scene = mujoco.MjvScene(model, _MAX_GEOMS)
        self._option, self._perturb = mujoco.MjvOption(), mujoco.MjvPerturb()
        self._option.flags[mujoco.mjtVisFlag.mjVIS_RANGEFINDER] = False
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._camera.fixedcamid = camera
        self._rectangle = mujoco.MjrRect(0, 0, width, height)
        self._flipped = np.empty((height, width, 3), dtype=np.uint8)

    def picture(self, data: mujoco.MjData) -> NDArray[np.uint8]:
        """Return a picture (height, width, 3); it is overwritten by the next one."""
        self._gl.make_current()
        mujoco.mjv_updateScene(
            self._model, data, self._option, self._perturb, self._camera,
            mujoco.mjtCatBit.mjCAT_ALL, self._scene,
        )  # fmt: skip
        mujoco.mjr_render(self._rectangle, self._scene, self._context)
        mujoco.mjr_readPixels(self._flipped, None, self._rectangle, self._context)
        return self._flipped[::-1]

    def close(self) -> None:
        """Free the context."""
        self._context.free()
        self._gl.free()


def _open_context(model: mujoco.MjModel) -> tuple[str, Any, mujoco.MjrContext]:
    """Return the name of an OpenGL backend that works, a context of it, and one of the model.

    ``MUJOCO_GL`` names the only one that is tried; without it EGL is tried first, then OSMesa.

    Raises:
        UsageError: None works.
    """
    asked = os.environ.get("MUJOCO_GL", "").lower()
    names = (asked,) if asked in (*_BACKENDS, "glfw") else _BACKENDS
    failures = []
    for name in names:
        kept = os.environ.get("PYOPENGL_PLATFORM")
        try:
            module = importlib.import_module(f"mujoco.{name}")
            gl = module.GLContext(model.vis.global_.offwidth, model.vis.global_.offheight)
            gl.make_current()  # where there is no screen, glfw only fails from here on
            return name, gl, mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_150)
        except Exception as error:  # whatever OpenGL's bindings raise where a library is missing
            missing = isinstance(error, AttributeError)  # PyOpenGL has None instead of a library
            failures.append(f"{name}: {'no library' if missing else one_line(error)}")
            _forget(name, kept)
    raise UsageError(f"no OpenGL to draw with ({'; '.join(failures)}): {_MEND}")


def _forget(name: str, platform: str | None) -> None:
    """Undo the import of a backend: PyOpenGL can be bound to one platform only."""
    for module in [
        m for m in sys.modules if m == f"mujoco.{name}" or m.startswith(f"mujoco.{name}.")
    ]:
        del sys.modules[module]
    for bound in (f"mujoco.{name}", "OpenGL"):
        for module in [m for m in sys.modules if m == bound or m.startswith(f"{bound}.")]:
            del sys.modules[module]
    with suppress(KeyError):
        del os.environ["PYOPENGL_PLATFORM"]
    if platform is not None:
        os.environ["PYOPENGL_PLATFORM"] = platform
