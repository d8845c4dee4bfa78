"""Puts a card on the wire: vpcd's protocol, its connections, and the pcscd around them."""
