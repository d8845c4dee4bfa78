"""A terminal on a network: what a program or a person asks of it, and a terminal that stays."""
