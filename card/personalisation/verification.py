"""Which PINs the access rules name: one for all applications, or each its own with the universal PIN as replacement.

The rows of the files and the profiles say PIN1 and PIN2. On a multi-verification card (TS 102 221 clause 9.1) these are
the PINs of the application that the file belongs to, and every file has two rules: for security environment 01, and
for 00, in force while the universal PIN has replaced the application's PIN (TS 31.101 clause 9.6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from card.codec.access_rule import AccessRule, Combination, Condition
from card.domain.pin import APPLICATION_PIN, LOCAL, UNIVERSAL_PIN
from card.filesystem.node import ADF_PREFIX, FileNode

_PIN2 = APPLICATION_PIN | LOCAL


class GuardedFile(Protocol):
    """A file that access conditions were planned for."""

    @property
    def node(self) -> FileNode:
        """The file."""

    def rule(self, address: Callable[[Condition], Condition]) -> AccessRule:
        """Return its rule, with every condition as `address` changes it."""


@dataclass(frozen=True, slots=True)
class Verification:
    """The key reference of each application's PIN, and whether they are several."""

    pins: Mapping[str, int]
    multiple: bool

    def rules(self, file: GuardedFile) -> tuple[bytes, bytes]:
        """Return a file's rule for environment 01 and for 00, the latter empty on a single-verification card."""
        if not self.multiple:
            return file.rule(lambda condition: condition).encode(), b""
        # A view under the MF belongs to the application whose file it shows.
        root = file.node.storage.partition("/")[0]
        first = self._first_pins(root)
        replaced = (UNIVERSAL_PIN,) if root.startswith(ADF_PREFIX) else (UNIVERSAL_PIN, *first)
        second = first[0] | LOCAL if len(first) == 1 else _PIN2
        return (
            file.rule(lambda condition: _naming(condition, first, second)).encode(),
            file.rule(lambda condition: _naming(condition, replaced, second)).encode(),
        )

    def _first_pins(self, root: str) -> tuple[int, ...]:
        """Return the PIN of the application at the root, or those of all applications for a file of the card itself."""
        application = root.removeprefix(ADF_PREFIX)
        return (self.pins[application],) if application in self.pins else tuple(self.pins.values())


def _naming(condition: Condition, first: tuple[int, ...], second: int) -> Condition:
    """Put PINs in the place of PIN1 and PIN2. Where all keys are needed, one PIN stands for PIN1."""
    if condition.combination is Combination.ALL:
        first = first[:1]
    named = {APPLICATION_PIN: first, _PIN2: (second,)}
    references = [each for reference in condition.references for each in named.get(reference, (reference,))]
    return Condition(condition.combination, tuple(dict.fromkeys(references)))
