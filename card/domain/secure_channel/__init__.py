"""The protected channel between terminal and card: associations, sessions and what travels in them.

Built after TS 102 484 as far as TS 102 221 shows it; the cryptography is the project's own profile `x-sac-1`, and all
of it is provisional (docs/spec/secure-channel.md).
"""
