"""Captures: pcap and pcapng files to UDP datagrams and back."""
