"""A USIM with the OMA BCAST Smartcard Profile, as bytes in and bytes out.

This facade is all that other packages use: `open_card` opens a card file, `create_card` personalises a new one from a
`CardProfile`, `Card` answers APDUs.
"""

from card.card import Card
from card.factory import create_card, memory_card, open_card
from card.profile.schema import CardProfile

__all__ = ["Card", "CardProfile", "create_card", "memory_card", "open_card"]
