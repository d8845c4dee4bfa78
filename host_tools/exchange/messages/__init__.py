"""The messages, one module for a family."""
