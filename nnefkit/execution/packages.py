"""The packages that engines need: whether they are there, and whether they work."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module, metadata
from importlib.util import find_spec

from nnefkit.errors import MissingPackageError


def installed_version(engine: str, package: str, extra: str, *distributions: str) -> str:
    """The version of a package, which is not imported; ``"unknown"`` if it does not tell.

    Args:
        engine: Name of the engine that needs it.
        package: Its name where it is imported.
        extra: The extra of nnefkit that installs it.
        *distributions: Names of the distributions that bring it, if not only one of its own name.

    Raises:
        MissingPackageError: it is not installed.
    """
    spec = find_spec(package)
    # A folder that happens to have its name, beside a notebook, is no package.
    if spec is None or spec.origin is None:
        raise MissingPackageError(
            f"the engine '{engine}' needs the package '{package}', which is not installed",
            hint=f'pip install "nnefkit[{extra}]"',
        )
    for name in (package, *distributions):
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    return "unknown"


def require(engine: str, package: str, extra: str) -> None:
    """Imports a package.

    Raises:
        MissingPackageError: it is there, but broken.
    """
    try:
        import_module(package)
    except Exception as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise MissingPackageError(
            f"the engine '{engine}' needs the package '{package}', which is installed but cannot "
            f"be imported: {lines[0]}",
            hint=f'pip install --force-reinstall "nnefkit[{extra}]" installs it anew.',
        ) from error
