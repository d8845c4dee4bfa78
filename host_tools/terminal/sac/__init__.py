"""The terminal's side of the secure channel: a link that carries every command protected.

Provisional as a whole, as the card's side is (docs/spec/secure-channel.md).
"""
