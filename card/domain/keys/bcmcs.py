"""BCMCS on the card: broadcast access keys by flow, and what is derived from them (3GPP2 C.S0023-D clause 4.9).

provisional: a flow has at most two BAKs, the current one and its successor, shown by EF_BAKPARA and EF_UpBAKPARA; and a
BAK is over when the time the terminal told has reached its BAK_Expire, both read as numbers of one unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from card.codec.ef.csim import encode_bak_parameters
from card.crypto.bcmcs import RegistrationKey
from card.crypto.secret import Secret
from card.domain.record_files import RecordFile
from card.errors import CardError
from card.lean import lean_dataclass
from card.state.nonvolatile import NonVolatile
from card.state.stored import StoredTable


class FlowNotFound(CardError):
    """The card has no BAK for this BCMCS_Flow_ID."""


class BakNotFound(CardError):
    """The flow is known, this BAK_ID is not."""


class BakExpired(CardError):
    """The time in BAK_Expire has come."""


class NoRoomForBak(CardError):
    """Every record of EF_BAKPARA holds another flow."""


@lean_dataclass(frozen=True, slots=True)
class StoredBak:
    """A BAK (16 bytes): its flow, its identifier, when it ends, and whether it is the flow's next one."""

    slot: int
    flow_id: bytes
    bak_id: bytes
    expires: bytes
    key: Secret
    is_next: bool = False

    def require_valid_at(self, time: int) -> None:
        """Raise `BakExpired` when the BAK is over at `time`."""
        if time >= int.from_bytes(self.expires, "big"):
            raise BakExpired


class Bcmcs:
    """The BAKs of one application under its registration key.

    `time` is the latest time the terminal has told, 0 when it has told none: a card has no clock.
    """

    def __init__(
        self,
        nv: NonVolatile,
        application: str,
        root: RegistrationKey,
        current: RecordFile,
        following: RecordFile,
        tags: Mapping[str, int],
    ) -> None:
        """Take EF_BAKPARA and EF_UpBAKPARA; `tags` are those of this card's data objects, by name."""
        self.tags = tags
        self._root = root
        self._baks = StoredTable(nv, f"bak/{application}/", StoredBak)
        self._current = current
        self._following = following

    # --- what the terminal gets

    def retrieve_sk(self, flow_id: bytes, bak_id: bytes, sk_rand: bytes, time: int) -> Secret:
        """Return the SK for SK_RAND. Raises `FlowNotFound`, `BakNotFound`, `BakExpired`."""
        return self._root.functions.derive_sk(self._valid(flow_id, bak_id, time).key, sk_rand)

    def retrieve_srtp_sk(self, flow_id: bytes, bak_id: bytes, sk_rand: bytes, index: bytes, time: int) -> Secret:
        """Return the SK for SRTP at a packet index. Raises `FlowNotFound`, `BakNotFound`, `BakExpired`."""
        return self._root.functions.derive_srtp_sk(self._valid(flow_id, bak_id, time).key, sk_rand, index)

    def sign(self, flow_id: bytes, bak_id: bytes, timestamp: bytes) -> bytes:
        """Return the authorization signature for a time. Raises `FlowNotFound`, `BakNotFound`, `BakExpired`."""
        bak = self._valid(flow_id, bak_id, int.from_bytes(timestamp, "big"))
        return self._root.functions.sign(bak.key, flow_id, bak_id, timestamp)

    def authenticate(self, rand: bytes, challenge: bytes) -> bytes:
        """Return the response to a challenge, under the Auth-Key for RAND."""
        return self._root.respond(rand, challenge)

    # --- BAK management

    def update_bak(self, flow_id: bytes, bak_id: bytes, expires: bytes, tk_rand: bytes, encrypted: bytes) -> None:
        """Store a BAK that came under the TK for TK_RAND.

        A known one is replaced where it stands. A new one becomes the flow's next; when there was a next one, that
        becomes the current one, which is dropped. Raises `NoRoomForBak`, `IdentifierTooLong`, `DecodeError`,
        `MacMismatch`.
        """
        key = self._root.open_bak(tk_rand, encrypted)
        known = self._of_flow(flow_id)
        same = next((bak for bak in known if bak.bak_id == bak_id), None)
        if same is not None:
            self._put(replace(same, expires=expires, key=key))
        else:
            if len(known) > 1:
                self._remove(known[0])
                self._put(replace(known[1], is_next=False))
            slot = known[0].slot if known else self._free_slot()
            self._put(StoredBak(slot, flow_id, bak_id, expires, key, is_next=bool(known)))
        self._show(flow_id)

    def delete_bak(self, flow_id: bytes, bak_id: bytes) -> None:
        """Forget a BAK; the flow's next one takes the place of a current one. Raises `FlowNotFound`, `BakNotFound`."""
        gone = self._find(flow_id, bak_id)
        self._remove(gone)
        for bak in self._of_flow(flow_id):
            self._put(replace(bak, is_next=False))
        self._current.clear(gone.slot)
        self._show(flow_id)

    # --- storage

    def _valid(self, flow_id: bytes, bak_id: bytes, time: int) -> StoredBak:
        bak = self._find(flow_id, bak_id)
        bak.require_valid_at(time)
        return bak

    def _find(self, flow_id: bytes, bak_id: bytes) -> StoredBak:
        bak = self._baks.get(_name(flow_id, bak_id))
        if bak is not None:
            return bak
        raise BakNotFound if self._of_flow(flow_id) else FlowNotFound

    def _of_flow(self, flow_id: bytes) -> list[StoredBak]:
        """Return the BAKs of a flow: the current one, then the next."""
        found = (bak for _, bak in self._baks.items() if bak.flow_id == flow_id)
        return sorted(found, key=lambda bak: bak.is_next)

    def _free_slot(self) -> int:
        taken = {bak.slot for _, bak in self._baks.items()}
        for slot in range(1, self._current.count + 1):
            if slot not in taken:
                return slot
        raise NoRoomForBak

    def _put(self, bak: StoredBak) -> None:
        self._baks.put(_name(bak.flow_id, bak.bak_id), bak)

    def _remove(self, bak: StoredBak) -> None:
        self._baks.delete(_name(bak.flow_id, bak.bak_id))

    def _show(self, flow_id: bytes) -> None:
        """Write names and ends of a flow's BAKs into the two files; never a key."""
        known = self._of_flow(flow_id)
        if not known:
            return
        self._following.clear(known[0].slot)
        for bak in known:
            file = self._following if bak.is_next else self._current
            file.write(bak.slot, encode_bak_parameters((bak.flow_id, bak.bak_id, bak.expires)))


def _name(flow_id: bytes, bak_id: bytes) -> str:
    return f"{flow_id.hex()}-{bak_id.hex()}"
