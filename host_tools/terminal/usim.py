"""Typed calls to the USIM: what every application answers, authentication and GBA (TS 31.102 clause 7.1)."""

from __future__ import annotations

from card.codec.apdu import MAX_SHORT_LE, CommandApdu
from card.codec.fcp import Fcp
from card.crypto.secret import Secret
from card.spec.aids import aid_prefix
from card.spec.contexts import BOOTSTRAPPING, NAF_DERIVATION, EvenP2
from card.spec.files.fids import fid_of
from card.spec.ins import INS
from card.spec.status import SW
from host_tools.apdu.response import StatusError
from host_tools.terminal.aka import (
    AkaKeys,
    GbaResponse,
    SynchronisationFailure,
    decode_3g,
    decode_gba,
    decode_naf_key,
    encode_lv,
)
from host_tools.terminal.card_application import CardApplication
from host_tools.terminal.errors import (
    NetworkRefusedError,
    NoUsimError,
)
from host_tools.terminal.key_files import EF_GBABP, EF_GBANL, Bootstrapping, NafEntry, decode_gbabp, decode_naf

USIM_AID_PREFIX = aid_prefix("ADF.USIM")
EF_IMSI, EF_UST, EF_AD = (fid_of("ADF.USIM", name) for name in ("EF_IMSI", "EF_UST", "EF_AD"))

_LARGEST_GBABP = 1 + 16 + 2 * (1 + 255)  # RAND, B-TID and lifetime with their length bytes


class Usim(CardApplication):
    """The USIM behind an APDU client. A call that the card refuses raises `StatusError`; also `LinkError`."""

    def select_usim(self) -> Fcp:
        """Select the first USIM in EF_DIR and return its FCP. Raises `NoUsimError`."""
        fcp = self.select_by_prefix(USIM_AID_PREFIX)
        if fcp is None:
            raise NoUsimError("The card has no USIM: EF_DIR lists none.")
        return fcp

    def authenticate_3g(self, rand: bytes, autn: bytes) -> AkaKeys | SynchronisationFailure:
        """Run 3G authentication (RAND, AUTN 16 bytes), whose keys leave the card.

        Raises `NetworkRefusedError` for a wrong MAC.
        """
        return decode_3g(self._challenge(EvenP2.UMTS, encode_lv(rand, autn), "3G authentication"))

    def gba_bootstrap(self, rand: bytes, autn_star: bytes) -> GbaResponse | SynchronisationFailure:
        """Run GBA_U bootstrapping, RAND and AUTN* 16 bytes each.

        Raises `NetworkRefusedError` for a wrong MAC.
        """
        data = bytes((BOOTSTRAPPING,)) + encode_lv(rand, autn_star)
        return decode_gba(self._challenge(EvenP2.GBA, data, "GBA bootstrapping"))

    def gba_naf_derivation(self, naf_id: bytes, impi: bytes) -> Secret:
        """Derive the keys for a NAF and return Ks_ext_NAF (32 bytes); Ks_int_NAF stays in the card.

        `naf_id` is the FQDN followed by the 5-byte Ua protocol identifier, `impi` is UTF-8. (An ISIM takes the IMPI
        from its own file, TS 31.103 clause 7.1.2.4; a USIM has none.)
        """
        data = bytes((NAF_DERIVATION,)) + encode_lv(naf_id, impi)
        return decode_naf_key(self._challenge(EvenP2.GBA, data, "NAF derivation"))

    def update_gbabp(self, rand: bytes, b_tid: str, lifetime: str) -> None:
        """Write B-TID and key lifetime into EF_GBABP behind the RAND (TS 31.102 clause 4.2.79)."""
        self._select_own(EF_GBABP)
        self.update_binary(encode_lv(b_tid.encode(), lifetime.encode()), offset=1 + len(rand))

    def read_bootstrapping(self) -> Bootstrapping | None:
        """Return what EF_GBABP says of the Ks in the card, None when there is no Ks (TS 31.102 clause 5.2.21)."""
        size = self._select_own(EF_GBABP).file_size or 0
        return decode_gbabp(self.read_binary(min(size, _LARGEST_GBABP)))

    def read_naf_keys(self) -> tuple[NafEntry, ...]:
        """Return the NAFs whose keys the card holds, as EF_GBANL says (TS 31.102 clause 4.2.83)."""
        return tuple(entry for record in self._own_records(EF_GBANL) if (entry := decode_naf(record)) is not None)

    def _challenge(self, context: int, data: bytes, what: str) -> bytes:
        command = CommandApdu(0, INS.AUTHENTICATE, 0, context, data, le=MAX_SHORT_LE)
        response = self._client.transmit(command)
        if response.sw == SW.INCORRECT_MAC:
            why = "K or OPc differ, or one side means GBA_U and the other GBA_ME"
            raise NetworkRefusedError(f"{what}: the card found the network's challenge not authentic (9862): {why}.")
        if not response.ok:
            raise StatusError(response.sw, what)
        return response.data
