"""Subscription management: service keys, rights, LTKMs."""
