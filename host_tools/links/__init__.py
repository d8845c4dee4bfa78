"""Links to a card: in process and through PC/SC, both with one `transmit`."""
