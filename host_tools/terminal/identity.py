"""Who the subscriber is: IMSI from the card, and the names that TS 23.003 derives from it."""

from __future__ import annotations

from dataclasses import dataclass

from card.codec.bcd import decode_imsi
from card.errors import DecodeError
from host_tools.terminal.errors import answer_to
from host_tools.terminal.usim import EF_AD, EF_IMSI, Usim

_MNC_LENGTH_BYTE = 3  # offset in EF_AD (TS 31.102 clause 4.2.18)


@dataclass(frozen=True, slots=True)
class Identity:
    """IMSI (6 to 15 digits) and the number of its digits that are the MNC (2 or 3)."""

    imsi: str
    mnc_length: int

    @property
    def home_domain(self) -> str:
        """Return the home network domain without its first label, MNC always as three digits."""
        mcc, mnc = self.imsi[:3], self.imsi[3 : 3 + self.mnc_length]
        return f"mnc{mnc:0>3}.mcc{mcc}"

    @property
    def impi(self) -> str:
        """Return the private identity of a subscriber without ISIM (TS 23.003 clause 13.3)."""
        return f"{self.imsi}@ims.{self.home_domain}.3gppnetwork.org"


def read_identity(usim: Usim) -> Identity:
    """Read EF_IMSI and EF_AD of the selected USIM; the PIN must be verified.

    Raises `StatusError`, `MalformedAnswerError`, `LinkError`.
    """
    imsi_file, ad = usim.read_file(EF_IMSI), usim.read_file(EF_AD)
    with answer_to("reading the IMSI"):
        mnc_length = ad[_MNC_LENGTH_BYTE] & 0x0F if len(ad) > _MNC_LENGTH_BYTE else 2
        if mnc_length not in (2, 3):
            raise DecodeError(f"the MNC has {mnc_length} digits")
        return Identity(decode_imsi(imsi_file), mnc_length)
