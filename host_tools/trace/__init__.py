"""Traces of what goes over a link: recorded, redacted, decoded, written to files and sent to Wireshark."""
