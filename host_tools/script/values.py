"""Values of variables: bytes, and whether anybody may see them."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from card.crypto.secret import Secret
from host_tools.apdu.pin import PIN_SIZE, pad_pin
from host_tools.script.errors import ExpressionError, NoValue
from host_tools.trace.known_secrets import KnownSecrets

LONGEST_VALUE = 65_536


@dataclass(frozen=True, slots=True)
class Value:
    """Up to 65,536 bytes. Those of a secret never show."""

    data: bytes = field(repr=False)
    secret: bool = False

    def __str__(self) -> str:
        return f"[{len(self.data)} bytes hidden]" if self.secret else self.data.hex().upper()


class Form(StrEnum):
    """How text stands for bytes."""

    HEX = "hex"
    TEXT = "text"
    PIN = "pin"  # 4 to 8 digits, padded with FF to 8 bytes


def read_form(text: str, form: Form) -> bytes:
    """Return the bytes that `text` stands for. Raises `ExpressionError`, which does not show the text."""
    match form:
        case Form.HEX:
            try:
                return bytes.fromhex(text)
            except ValueError:
                raise ExpressionError("the value is not hex: pairs of 0-9 and A-F are") from None
        case Form.TEXT:
            return text.encode()
        case Form.PIN:
            if not (text.isascii() and text.isdigit() and 4 <= len(text) <= PIN_SIZE):
                raise ExpressionError("a PIN has 4 to 8 digits")
            return pad_pin(Secret(text.encode()))


def pin_values(pin: Secret | None) -> dict[str, Value]:
    """Return the variables that a PIN (4 to 8 bytes of ASCII) gives every script: `pin`, padded; none without one."""
    return {} if pin is None else {"pin": Value(pad_pin(pin), secret=True)}


@dataclass(frozen=True, slots=True)
class FromEnvironment:
    """A value taken from an environment variable: secret unless said otherwise."""

    variable: str
    form: Form
    secret: bool = True
    default: str | None = None

    def resolve(self) -> Value | None:
        """Return the value; None when it is not set. Raises `ExpressionError` when it has not the form."""
        text = os.environ.get(self.variable, self.default)
        return None if text is None else Value(read_form(text, self.form), self.secret)


@dataclass(frozen=True, slots=True)
class RandomBytes:
    """So many random bytes, new at every run and the same for the same seed."""

    size: int


class Scope:
    """The variables of a run. What is secret of them is made known to those who must hide it."""

    def __init__(self, seed: int | None = None, known: KnownSecrets | None = None) -> None:
        self._known = known or KnownSecrets()
        self._values: dict[str, Value] = {}
        self._missing: dict[str, str] = {}
        self._random = random.Random(seed)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def set(self, name: str, value: Value, *, given: bool = False) -> None:
        """Give a variable a value. One that is `given`, not made of others, is known as a secret to the end."""
        if len(value.data) > LONGEST_VALUE:
            raise ExpressionError(f"{name} would have {len(value.data)} bytes; {LONGEST_VALUE} are the most")
        if value.secret:
            self._known.learn(value.data, keep=given)
        self._values[name] = value
        self._missing.pop(name, None)

    def miss(self, name: str, why: str) -> None:
        """Take a variable its value, and note why it has none."""
        self._values.pop(name, None)
        self._missing[name] = why

    def get(self, name: str) -> Value:
        """Return a value. Raises `NoValue` saying why there is none."""
        value = self._values.get(name)
        if value is None:
            raise NoValue(name, self._missing.get(name, "nothing set it"))
        return value

    def part(self, name: str, start: int | None, end: int | None) -> Value:
        """Return a part of a value, as secret as the whole. Raises `ExpressionError`."""
        value = self.get(name)
        if start is None and end is None:
            return value
        part = Value(value.data[start:end], value.secret)
        if part.secret:
            self._known.learn(part.data)
        return part

    def random_bytes(self, size: int) -> Value:
        """Return random bytes from the run's seed."""
        return Value(self._random.randbytes(size))

    def update(self, values: Mapping[str, Value]) -> None:
        """Set several variables."""
        for name, value in values.items():
            self.set(name, value)
