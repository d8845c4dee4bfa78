"""Turns a card profile into the contents of a card, as a personalisation bureau does."""
