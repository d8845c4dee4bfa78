"""Learns the OMA BCAST tables of a card: guesses, trials on the emulator, and the result as TOML and in words."""
