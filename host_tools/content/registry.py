"""The registry of protections: how a format is found from an STKM, the index of a recording, or a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from host_tools.content.protection import FileFormat, PacketFormat, PacketSealer

_KIND = "kind"


@dataclass(frozen=True, slots=True)
class Hints:
    """What a person should look at when packets of a protection stay shut; empty where there is nothing to say.

    `key` is the word for the name of a key in them. `no_name`: they name no key and none fits. `no_key`: the key they
    name never came. `failed`: a key did not fit, with words of their own for some reasons in `reasons`.
    """

    key: str = "key"
    no_name: str = ""
    no_key: str = ""
    failed: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PacketProtection:
    """One protection of packets.

    `number` is its traffic_protection_protocol in STKMs, `usual` the layout where nobody says another, `parse` reads
    what `PacketFormat.as_dict` wrote; it raises `ValueError`, `KeyError` or `TypeError` for anything else. `hints` are
    for people whose packets stay shut. `make_sealer` makes what protects packets of the usual layout, None where that
    is not known here.
    """

    number: int
    usual: PacketFormat
    parse: Callable[[Mapping[str, object]], PacketFormat]
    hints: Hints = Hints()
    make_sealer: Callable[[], PacketSealer] | None = None

    @property
    def kind(self) -> str:
        """Its name in recordings."""
        return self.usual.kind


@dataclass(frozen=True, slots=True)
class Protections:
    """The protections that are known. The first one of packets is that of STKMs which name none: plain MBMS."""

    packets: tuple[PacketProtection, ...]
    files: tuple[FileFormat, ...] = ()
    container: PacketFormat | None = None
    """Where a container says how its packets are protected, that holds whatever its STKMs say."""

    @property
    def usual(self) -> PacketFormat:
        """The format of packets whose STKMs name no protection."""
        return self.container or self.packets[0].usual

    @property
    def formats(self) -> tuple[PacketFormat, ...]:
        """All formats that packets may have, the usual one first."""
        return (self.container,) if self.container is not None else tuple(row.usual for row in self.packets)

    def of_stkm(self, number: int | None) -> PacketFormat | None:
        """Return the format for a traffic_protection_protocol (None: the STKM has none), None for an unknown one."""
        if self.container is not None or number is None:
            return self.usual
        return next((row.usual for row in self.packets if row.number == number), None)

    def of_index(self, item: Mapping[str, object]) -> PacketFormat:
        """Read the `protection` of a recording. Raises `ValueError`, `KeyError`, `TypeError`."""
        kind = item[_KIND]
        row = next((row for row in self.packets if row.kind == kind), None)
        if row is None:
            known = ", ".join(row.kind for row in self.packets)
            raise ValueError(f"its media are protected with {str(kind)[:40]!r}; known here: {known}")
        return row.parse(item)

    def usual_of(self, kind: str) -> PacketFormat | None:
        """Return the usual format of a protection by its name, None for an unknown one."""
        return next((row.usual for row in self.packets if row.kind == kind), None)

    def hints_of(self, kind: str) -> Hints:
        """Return what to say about packets of this kind that stay shut."""
        return next((row.hints for row in self.packets if row.kind == kind), Hints())

    def of_file(self, head: bytes) -> FileFormat | None:
        """Return the format of a protected file by its first bytes (64), None for any other file."""
        return next((found for found in self.files if found.recognises(head)), None)

    def with_packets(self, protection: PacketProtection) -> Protections:
        """Return a registry with a further protection of packets."""
        return replace(self, packets=(*self.packets, protection))

    def with_file(self, found: FileFormat) -> Protections:
        """Return a registry with a further kind of protected files."""
        return replace(self, files=(*self.files, found))

    def with_layout(self, layout: PacketFormat) -> Protections:
        """Return a registry in which `layout` is the usual one of its kind."""
        rows = (replace(row, usual=layout) if row.kind == layout.kind else row for row in self.packets)
        return replace(self, packets=tuple(rows))

    def inside(self, container: PacketFormat) -> Protections:
        """Return a registry for a container that says how its packets are protected."""
        return replace(self, container=container)


def index_of(found: PacketFormat) -> dict[str, object]:
    """Return what a recording says of the protection of its media."""
    return {_KIND: found.kind, **found.as_dict()}
