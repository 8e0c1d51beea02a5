"""Names that are not in use yet."""

from __future__ import annotations

from collections.abc import Callable


class Names:
    """A set of names in use; case is ignored on request, for names of files."""

    def __init__(self, *, fold_case: bool = False) -> None:
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}
        self._fold_case = fold_case

    def unused(self, wanted: str, is_refused: Callable[[str], bool] = lambda _: False) -> str:
        """Return `wanted`, with the first number appended that makes it unique if it is in use.

        Args:
            wanted: The name to start with.
            is_refused: Whether a name must not be used though it is not in use.
        """
        name = wanted
        while self._key(name) in self._taken or is_refused(name):
            self._counts[wanted] = self._counts.get(wanted, 0) + 1
            name = f"{wanted}_{self._counts[wanted]}"
        self._taken.add(self._key(name))
        return name

    def _key(self, name: str) -> str:
        return name.lower() if self._fold_case else name
