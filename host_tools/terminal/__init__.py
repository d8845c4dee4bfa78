"""The terminal's side of the Smartcard Profile: typed calls to the card, GBA, key delivery and a player."""
