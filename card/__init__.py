"""A USIM with the OMA BCAST Smartcard Profile, as bytes in and bytes out.

This facade is all that other packages use: `open_card` opens a card file, `create_card` personalises a new one from a
`CardProfile`, `Card` answers APDUs. What is in a card file, and what can be done with one that is not in use:
`inspect_card`, `bcast_tables`, `diff_cards`, `edit_card`, `snapshot_card`, `restore_card`, `wipe_card`.

Each name is imported when it is first used: who only opens a card file loads neither profiles nor the inspection.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from card.card import Card
    from card.codec.ef import format_value
    from card.factory import create_card, memory_card, open_card
    from card.inspection.card_files import restore_card, snapshot_card, wipe_card
    from card.inspection.diff import Difference, diff_cards
    from card.inspection.edit import Edit, EditResult, edit_card
    from card.inspection.inspect import bcast_tables, inspect_card
    from card.profile.schema import CardProfile
else:
    from card.lazy import lazy_names

    __getattr__ = lazy_names(
        __name__,
        {
            "card": ("Card",),
            "codec.ef": ("format_value",),
            "factory": ("create_card", "memory_card", "open_card"),
            "inspection.card_files": ("restore_card", "snapshot_card", "wipe_card"),
            "inspection.diff": ("Difference", "diff_cards"),
            "inspection.edit": ("Edit", "EditResult", "edit_card"),
            "inspection.inspect": ("bcast_tables", "inspect_card"),
            "profile.schema": ("CardProfile",),
        },
    )

__all__ = [
    "Card",
    "CardProfile",
    "Difference",
    "Edit",
    "EditResult",
    "bcast_tables",
    "create_card",
    "diff_cards",
    "edit_card",
    "format_value",
    "inspect_card",
    "memory_card",
    "open_card",
    "restore_card",
    "snapshot_card",
    "wipe_card",
]
