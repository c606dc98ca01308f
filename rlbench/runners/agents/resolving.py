"""From what names an agent or a teacher to its identity; its code runs in another process only."""

import hashlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlbench.errors import CannotImport, InvalidRecord, MissingExtra, UnknownName, UsageError
from rlbench.registry import Registry
from rlbench.results import AgentId, strict_json
from rlbench.results.identity import check_given
from rlbench.results.values import plain
from rlbench.runners.agents import factories
from rlbench.runners.agents.factories import OPTION, RESERVED, Place, Signature
from rlbench.sources import hash_file, sources
from rlbench.suites import slug

IMPORT_SECONDS = 300.0  # that importing an agent may take
MAX_NAME = 100
MAX_SPEC = 1000
MAX_FACTORY = 300
MAX_CONFIG = 100_000  # characters of JSON
_LAST_WORDS = 1.0  # seconds to end after its standard output has closed

_FILE = {"file", "sha256"}  # the names in an option's value that stands for a file


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a worker makes an agent or a teacher; it may hold paths of this machine.

    Attributes:
        spec: What names the factory.
        options: The options that were given: JSON data. A file stands as
            ``{"file": path, "sha256": ...}``.
    """

    spec: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """An agent or a teacher that was found.

    Attributes:
        id: Its identity.
        recipe: What a worker makes it from.
        files: The names of the files that the hash of its source covers.
        has_group: It can make several that are stepped together.
    """

    id: AgentId
    recipe: Recipe
    files: tuple[str, ...]
    has_group: bool

    @property
    def source_text(self) -> str:
        """One line that identifies the version of its code."""
        if self.id.source is None:
            return f"version {self.id.version}; changes of its files make no new runs"
        shown = ", ".join(self.files[:8])
        more = f" and {len(self.files) - 8} more" if len(self.files) > 8 else ""
        return f"source {self.id.source[:6]} ({shown}{more})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known of an agent or a teacher, whatever its options.

    Attributes:
        name: Its own name.
        factory: See `AgentId`.
        spec: How it was named, without the folders of the machine.
        version: The version that it states, or nothing.
        source: The hash of its files, if it states none.
        files: The names of these files.
        signature: What its factory takes.
    """

    name: str
    factory: str
    spec: str
    version: str
    source: str | None
    files: tuple[str, ...] = ()
    signature: Signature


def resolve_found(
    kind: str,
    spec: str,
    options: Mapping[str, Any],
    found: Found,
    *,
    name: str | None = None,
    given: Iterable[str] = (),
) -> Resolved:
    """Return an agent or a teacher with its options.

    Args:
        kind: ``agent`` or ``teacher``.
        spec: What names it.
        options: Numbers, strings, booleans, None, lists and tables of these; paths of files.
        found: What is known of it.
        name: The display name; by default its own.
        given: What it is given besides what it says itself.

    Raises:
        UsageError: An option, a value or the name does not fit.
        UnknownName: It does not take an option, or cannot be given such a thing.
    """
    what = f"{kind} {found.spec!r}"
    name = name or found.name
    _check_has_slug(name, kind)
    if len(name) > MAX_NAME or not name.isprintable():
        raise UsageError(f"the name {name!r} must be printable, of at most {MAX_NAME} characters")
    if len(spec) > MAX_SPEC or len(found.factory) > MAX_FACTORY or not spec.isprintable():
        raise UsageError(f"the {what} must be printable, of at most {MAX_SPEC:,} characters")
    aside = found.signature.aside
    made = given_options(options, aside)
    _check_names(made, found.signature, what)
    config = {**found.signature.defaults, **{k: _without_folder(v) for k, v in made.items()}}
    config = {option: value for option, value in config.items() if option not in aside}
    _check_defaults(config, made, what)
    if len(json.dumps(config)) > MAX_CONFIG:
        raise UsageError(f"the options of the {what} are longer than {MAX_CONFIG:,} characters")
    return Resolved(
        id=AgentId(
            name=name,
            version=found.version,
            spec=found.spec,
            config=config,
            source=found.source,
            factory=found.factory,
            given=check_given([*found.signature.given, *given]),
        ),
        recipe=Recipe(spec=spec, options=made),
        files=found.files,
        has_group=found.signature.has_group,
    )


def _check_has_slug(name: str, kind: str) -> None:
    """Raise UsageError if nothing of a name can be kept in a path."""
    try:
        slug(name)
    except UsageError as error:
        how = ": add --name and a name in Latin letters" if kind == "agent" else ""
        raise UsageError(f"{error}{how}") from error


def find_python(registry: Registry, spec: str) -> Found:
    """Find a factory in Python, in a process of its own if it is not one of ours.

    Args:
        registry: Of agents or teachers.
        spec: See `factories.find`.

    Raises:
        UnknownName: There is none.
        UsageError: The file is not Python.
        CannotImport: It cannot be imported.
        MissingExtra: It is one of ours and needs an extra.
    """
    if spec in registry.own:
        return _find_own(registry, spec)
    kind, known = registry.kind, registry.targets()
    place = factories.find_file(spec, known)
    if place is not None:
        factories.check_name(place)
        factories.stated_version(place)  # what is wrong with the file itself is said at once
    elif spec not in known and factories.names_file(spec):
        raise factories.unknown(kind, spec, known)
    answer = ask(kind, spec)
    if answer.get("unknown"):
        raise factories.unknown(kind, spec, known)
    if "refused" in answer:
        raise UsageError(str(answer["refused"]))
    place = _place_in(answer)
    version, source, files = _version(place)
    ours = {entry.target: name for name, entry in registry.own.items()}
    return Found(
        name=spec if spec in known else ours.get(place.canonical, place.name),
        factory=place.canonical,
        spec=factories.without_folders(spec),
        version=version,
        source=source,
        files=files,
        signature=signature_in(answer),
    )


def _find_own(registry: Registry, spec: str) -> Found:
    entry = registry.own[spec]
    try:
        signature = factories.describe(factories.find(registry, spec))
    except ImportError as error:
        if not entry.extra:
            raise
        raise MissingExtra(f"the {registry.kind} {spec!r}", entry.extra) from error
    return Found(
        name=spec, factory=entry.target, spec=spec, version=entry.version, source=None,
        signature=signature,
    )  # fmt: skip


def version_of(registry: Registry, spec: str) -> tuple[str, str | None]:
    """Return version and source hash of a factory in Python, in the process of its run."""
    if spec in registry.own:
        return registry.own[spec].version, None
    return _version(factories.find(registry, spec))[:2]


def version_now(registry: Registry, spec: str, folder: Path) -> tuple[str, str | None] | None:
    """Return version and source hash that a factory has now, importing nothing.

    Args:
        registry: Of the kind.
        spec: What names it.
        folder: Where it was named.

    Returns:
        What `version_of` would; None if it is not found so.
    """
    if spec in registry.own:
        return registry.own[spec].version, None
    known = registry.targets()
    place = factories.find_file(spec, known, folder)
    if place is None and not factories.names_file(spec):
        place = factories.find_module(known.get(spec, spec), folder)
    return None if place is None else _version(place)[:2]


def _version(place: Place) -> tuple[str, str | None, tuple[str, ...]]:
    """Return the version that is stated, or the hash of the files and their names."""
    version = factories.stated_version(place)
    if version:
        return version, None, ()
    try:
        files = sources(place.path, "" if place.is_file else place.module)
        return "", sha256_of_files(files), tuple(files)
    except UsageError as error:
        raise UsageError(
            f"{error}: state a __version__ in it, which then stands for them"
        ) from error
    except OSError as error:
        where = error.filename or f"what {place.path.name} imports"
        raise UsageError(f"cannot read {where}: {error.strerror}") from error


def sha256_of_files(files: Mapping[str, Path]) -> str:
    """Return the hash of files with their names."""
    content = [[name, hash_file(path)] for name, path in sorted(files.items())]
    return hashlib.sha256(strict_json.dump(content).encode()).hexdigest()


def ask(kind: str, spec: str) -> dict[str, Any]:
    """Import a factory in a process of its own, and return what that says of it.

    Raises:
        CannotImport: It cannot be imported.
    """
    asked = json.dumps({"kind": kind, "spec": spec}).encode() + b"\n"
    problem, answer = _ask(asked)
    if not problem:
        try:
            content = strict_json.load(answer)
        except InvalidRecord as error:
            problem = f"its process answered what is {error}"
        else:
            if "error" not in content:
                return dict(content)
            problem = str(content["error"])
    what = f"the {kind} {factories.without_folders(spec)!r}"
    raise CannotImport(f"{what} cannot be imported: {problem}")


def _ask(asked: bytes) -> tuple[str, bytes]:
    """Return why there is no answer, or else the answer."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "rlbench.runners.agents.describe"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with suppress(BrokenPipeError):
            # The pipe stays open: the process ends when it closes.
            process.stdin.write(asked)
            process.stdin.flush()
        answer = _read_line(process.stdout.fileno())
        if answer is None:
            return f"it takes longer than {IMPORT_SECONDS:g} s", b""
        if answer.endswith(b"\n"):
            return "", answer
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LAST_WORDS)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        process.stdin.close()
        process.stdout.close()
    if code < 0:
        return f"that ended its process by {signal.Signals(-code).name}", b""
    return f"that ended its process with exit code {code}", b""


def _read_line(descriptor: int) -> bytes | None:
    """Return what comes up to the end of a line or of the pipe, or None if that takes too long."""
    said, ends = b"", time.monotonic() + IMPORT_SECONDS
    while not said.endswith(b"\n"):
        if not select.select([descriptor], [], [], max(0.0, ends - time.monotonic()))[0]:
            return None
        more = os.read(descriptor, 65536)
        said += more
        if not more:
            break
    return said


def signature_in(answer: Mapping[str, Any]) -> Signature:
    """Return the signature in what `ask` returned."""
    data = dict(answer["signature"])
    for name in ("required", "given", "aside"):
        data[name] = tuple(data[name])
    names = data["names"]
    return Signature(**{**data, "names": None if names is None else tuple(names)})


def _place_in(answer: Mapping[str, Any]) -> Place:
    return Place(**{**answer["place"], "path": Path(answer["place"]["path"])})


def _check_names(options: Mapping[str, Any], signature: Signature, what: str) -> None:
    """Raise unless the factory takes the options, and needs no other."""
    for name in options:
        if name in RESERVED:
            raise UsageError(f"the option {name!r} is reserved: the runner hands it to the {what}")
        if not OPTION.fullmatch(name):
            raise UsageError(
                f"{name[:100]!r} is not a name of an option: use letters, digits and _"
            )
        if signature.names is not None and name not in signature.names:
            raise UnknownName(f"option of the {what}:", name, signature.names)
    for name in signature.required:
        if name not in options:
            raise UsageError(f"the {what} needs the option {name!r}: add -o {name}=VALUE")


def _check_defaults(config: Mapping[str, Any], made: Mapping[str, Any], what: str) -> None:
    """Raise UsageError where a default, which records hold, is a path of this machine."""
    for name in config.keys() - made.keys():
        if any(map(_is_full_path, _strings(config[name]))):
            raise UsageError(
                f"the default of the option {name!r} of the {what} is a path of this machine, which"
                f" records would show: make it a path from the current folder, or say {name}=@FILE"
            )


def given_options(options: Mapping[str, Any], aside: Iterable[str] = ()) -> dict[str, Any]:
    """Return options as a `Recipe` holds them.

    Args:
        options: Their values by name.
        aside: Those that are no part of the identity: they may hold paths.

    Raises:
        UsageError: A value does not fit, or a file is not there.
    """
    return {name: _option(name, value, has_paths=name in aside) for name, value in options.items()}


def _option(name: str, value: Any, *, has_paths: bool = False) -> Any:
    """Return an option's value as JSON data; a file gets its hash."""
    if isinstance(value, Path):
        if not value.is_file():
            raise UsageError(f"the option {name}=@{value}: there is no such file")
        try:
            return {"file": str(value.absolute()), "sha256": hash_file(value)}
        except OSError as error:
            raise UsageError(f"the option {name}=@{value}: {error.strerror}") from error
    try:
        value = plain(value)
    except ValueError as error:
        raise UsageError(f"the option {name!r}: {error}") from error
    if _is_file(value):
        raise UsageError(f"the option {name!r} stands for a file: write {name}=@FILE")
    if not has_paths and any(map(_is_full_path, _strings(value))):
        raise UsageError(
            f"the option {name!r} holds a path of this machine: write {name}=@FILE,"
            " which keeps the file's name and hash, or a path from the current folder"
        )
    return value


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _is_full_path(text: str) -> bool:
    """Say whether text is the full path of a file or folder, here or on another machine."""
    if re.match(r"~[^/\\]*[/\\]|[A-Za-z]:[/\\]", text):
        return True
    try:
        path = Path(text)
        return path.is_absolute() and (len(path.parts) > 2 or path.exists()) and len(path.parts) > 1
    except (OSError, ValueError):
        return False


def _is_file(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == _FILE


def _without_folder(value: Any) -> Any:
    return {**value, "file": Path(value["file"]).name} if _is_file(value) else value


def open_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as a factory gets them: files by their paths.

    Raises:
        UsageError: A file is not there any more, or was changed.
    """
    opened = dict(options)
    for name, value in options.items():
        if not _is_file(value):
            continue
        path = Path(value["file"])
        if not path.is_file():
            raise UsageError(f"the option {name}=@{path.name}: the file is not there")
        if hash_file(path) != value["sha256"]:
            raise UsageError(f"the option {name}=@{path.name}: the file is not what it was")
        opened[name] = str(path)
    return opened
