"""What can be bought of a BSM: purchase items, their prices, and what each of them brings."""
