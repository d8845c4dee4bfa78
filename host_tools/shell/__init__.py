"""A shell to talk to a card by hand: names for files and applications, decoded answers, recording."""
