"""Wires that fail in ways that a seed repeats: TCP that is cut at a chosen octet, UDP that loses, doubles, delays."""
