"""SRTP (RFC 3711) under traffic keys: the protection of MBMS streaming (TS 33.246 clause 6.6.2)."""
