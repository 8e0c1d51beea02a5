"""Packages of the frameworks, which are optional."""

from __future__ import annotations

from importlib import util

from nnefkit.errors import MissingPackageError


def require(package: str, extra: str, models: str) -> None:
    """Check that a package is installed, without importing it.

    Args:
        package: Its name in an import statement.
        extra: The extra of nnefkit that installs it.
        models: The models that need it, such as "ONNX models".

    Raises:
        MissingPackageError: The package is not installed.
    """
    if util.find_spec(package) is None:
        raise MissingPackageError(
            f"{models} need the package '{package}', which is not installed",
            hint=f'pip install "nnefkit[{extra}]"',
        )
