"""Messages of protobuf formats whose own packages are not needed, from tables of their fields.

A format is a mapping of the names of its messages to their fields, one line of text for each
message::

    "NodeDef": "1 name string, 2 op string, 3 input string*, 5 attr map<AttrValue>",

A type is one of protobuf's, the name of a message of the table, or that of an enumeration; ``*``
stands for a repeated field, ``map<...>`` for a mapping from strings. Fields after a bar ``|`` are
alternatives, of which a message has one at most. A default follows an equals sign. An enumeration
whose name has a dot, such as ``Pooling.Method``, is declared inside of that message.
Fields that the table leaves out are skipped, as those of newer versions of the format are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nnefkit.errors import StorageError
from nnefkit.exchange import packages

_FIELD = re.compile(r"(\d+) (\w+) (map<)?([\w.]+)>?(\*?)(?: = (\S+))?$")
_SCALARS = {
    "double": 1,
    "float": 2,
    "int64": 3,
    "uint64": 4,
    "int32": 5,
    "fixed64": 6,
    "fixed32": 7,
    "bool": 8,
    "string": 9,
    "bytes": 12,
    "uint32": 13,
}
"""Type -> its number in a descriptor."""
_MESSAGE, _ENUM = 11, 14
_OPTIONAL, _REPEATED = 1, 3
_MAX_BYTES = 2**31 - 1
"""The largest message that protobuf reads."""


class MessageFormat:
    """The messages of one format, as classes of the package protobuf in a private pool.

    Args:
        name: The name of the package of the messages.
        messages: Name of a message -> its fields.
        enumerations: Name of an enumeration -> its names and numbers.
        syntax: ``proto3``, or ``proto2`` for formats whose fields have defaults.
        extra: The extra of nnefkit that installs protobuf for this format.
    """

    def __init__(
        self,
        name: str,
        messages: Mapping[str, str],
        enumerations: Mapping[str, Mapping[str, int]],
        *,
        syntax: str = "proto3",
        extra: str,
    ) -> None:
        self._name = name
        self._messages = messages
        self._enumerations = enumerations
        self._syntax = syntax
        self._extra = extra
        self._classes: dict[str, Any] = {}

    def parsed(self, message: str, data: bytes, path: str = "") -> Any:
        """Return a message read from its bytes.

        Args:
            message: Its name in the table.
            data: The bytes.
            path: The file that they are from, for errors.

        Raises:
            StorageError: They are not such a message.
            MissingPackageError: The package protobuf is not installed.
        """
        result = self._class(message)()
        from google.protobuf.message import DecodeError

        if len(data) > _MAX_BYTES:
            raise StorageError("the file is larger than protobuf messages can be", file=path)
        try:
            result.ParseFromString(bytes(data))
        except (DecodeError, RuntimeError) as error:
            raise StorageError(
                f"the file is not a valid {message}",
                hint="Copy or convert the model again; it may be cut off.",
                file=path,
            ) from error
        return result

    def parsed_text(self, message: str, text: str, path: str = "") -> Any:
        """Return a message read from its text form; see `parsed`."""
        result = self._class(message)()
        from google.protobuf import text_format

        try:
            return text_format.Parse(text, result, allow_unknown_field=True)
        except (text_format.ParseError, ValueError, TypeError, RecursionError) as error:
            raise StorageError(
                f"the file is not the text of a valid {message}: {error}",
                hint="Copy or convert the model again; it may be cut off.",
                file=path,
            ) from error

    def _class(self, message: str) -> Any:
        if not self._classes:
            packages.require("google.protobuf", self._extra, "these models")
            self._classes = self._made()
        return self._classes[message]

    def _made(self) -> dict[str, Any]:
        # Protobuf is imported when the first message is read.
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

        file = descriptor_pb2.FileDescriptorProto(
            name=f"{self._name}.proto", package=self._name, syntax=self._syntax
        )
        declared = {name: file.message_type.add(name=name) for name in self._messages}
        for name, fields in self._messages.items():
            self._declare(declared[name], fields)
        for name, members in self._enumerations.items():
            outer, _, inner = name.rpartition(".")
            scope = declared[outer] if outer else file
            enumeration = scope.enum_type.add(name=inner)
            for member, number in members.items():
                enumeration.value.add(name=member, number=number)
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
        return {
            name: message_factory.GetMessageClass(
                pool.FindMessageTypeByName(f"{self._name}.{name}")
            )
            for name in self._messages
        }

    def _declare(self, message: Any, fields: str) -> None:
        plain, _, alternatives = fields.partition("|")
        for group, text in enumerate((plain, alternatives)):
            if group and text.strip():
                message.oneof_decl.add(name="alternative")
            for line in filter(None, (part.strip() for part in text.split(","))):
                field = self._add_field(message, line)
                if group:
                    field.oneof_index = 0

    def _add_field(self, message: Any, line: str) -> Any:
        match = _FIELD.match(line)
        assert match is not None, line  # noqa: S101 - the tables are our own
        number, name, is_map, type_, star, default = match.groups()
        field = message.field.add(name=name, number=int(number))
        field.label = _REPEATED if star or is_map else _OPTIONAL
        if is_map:
            entry = message.nested_type.add(name=f"{_camel(name)}Entry")
            entry.options.map_entry = True
            key = entry.field.add(name="key", number=1, type=_SCALARS["string"])
            value = entry.field.add(name="value", number=2)
            key.label = value.label = _OPTIONAL
            self._set_type(value, type_)
            field.type = _MESSAGE
            field.type_name = f".{self._name}.{message.name}.{entry.name}"
            return field
        self._set_type(field, type_)
        if default is not None:
            field.default_value = default
        return field

    def _set_type(self, field: Any, type_: str) -> None:
        if type_ in _SCALARS:
            field.type = _SCALARS[type_]
        else:
            field.type = _ENUM if type_ in self._enumerations else _MESSAGE
            field.type_name = f".{self._name}.{type_}"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
