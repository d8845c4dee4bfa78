"""The console of an operator: who is there, what is on the air, what happens; and what can be done about it."""
