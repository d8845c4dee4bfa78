"""Contents of elementary files: a codec by the name that a file's row gives it, and the text form of a value."""

from card.codec.ef.codecs import CODECS, EfCodec, format_value

__all__ = ["CODECS", "EfCodec", "format_value"]
