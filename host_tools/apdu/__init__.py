"""The host's APDU client, built of small processors that each handle one transport matter."""
