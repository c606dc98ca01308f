"""The models of dm_control's suite, read from its files: none of its code is imported.

So no OpenGL and no labmaze is needed for tasks from states. Without dm_control, importing this
module raises ModuleNotFoundError.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import mujoco

from rlbench.errors import UsageError, install_command

Edit = Callable[[ElementTree.Element], None]


def _suite_folder() -> Path:
    """Return the folder of dm_control's suite; raise ModuleNotFoundError if there is none."""
    spec = importlib.util.find_spec("dm_control")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'dm_control'", name="dm_control")
    return Path(next(iter(spec.submodule_search_locations))) / "suite"


FOLDER = _suite_folder()

_COMMON = ("materials.xml", "skybox.xml", "visual.xml")


def load(name: str, edit: Edit | None = None, assets: str = "") -> mujoco.MjModel:
    """Compile a model.

    Args:
        name: Its file without ``.xml``, e.g. ``walker``.
        edit: Changes the parsed file.
        assets: A folder of files that it refers to.

    Raises:
        UsageError: dm_control's files are not where they are in dm_control 1.0.
    """
    try:
        text = (FOLDER / f"{name}.xml").read_text(encoding="utf-8")
        files = {f"./common/{file}": (FOLDER / "common" / file).read_bytes() for file in _COMMON}
        for path in (FOLDER / assets).iterdir() if assets else ():
            if path.is_file():
                files[path.name] = path.read_bytes()
    except OSError as error:
        raise UsageError(f"dm_control has no {error.filename}: {install_command('dmc')}") from error
    if edit is not None:
        root = ElementTree.fromstring(text)
        edit(root)
        text = ElementTree.tostring(root, encoding="unicode")
    # Without this, MuJoCo writes what it says of old options into a file in the current folder.
    kept = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(lambda message: None)
    try:
        return mujoco.MjModel.from_xml_string(text, assets=files)
    finally:
        mujoco.set_mju_user_warning(kept)


def remove(root: ElementTree.Element, tag: str, name: str) -> None:
    """Take the element of a name out of the tree."""
    for parent in root.iter():
        for child in parent:
            if child.tag == tag and child.get("name") == name:
                parent.remove(child)
                return
    raise ValueError(f"there is no {tag} named {name!r} in the model")


def named(root: ElementTree.Element, tag: str, name: str) -> ElementTree.Element:
    """Return the element of a name."""
    found = root.find(f".//{tag}[@name='{name}']")
    if found is None:
        raise ValueError(f"there is no {tag} named {name!r} in the model")
    return found
