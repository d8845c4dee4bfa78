"""The OMA BCAST extension of MIKEY messages, both ways: management data, reports, parental control.

Subtypes: RFC 5410. Every layout is a table (`card.spec.bcast.tables`) and provisional. Syntax only; the rules are in
`card.domain`.
"""

from card.codec.bcast.layout import Descriptor, decode_fields, encode_fields
from card.codec.bcast.management import (
    LtkmManagement,
    ParentalControl,
    Rating,
    StkmManagement,
    Subtype,
    bcast_extension,
    only_extension,
    ratings_of,
)
from card.codec.bcast.report import LtkmReport, ReportEntry

__all__ = [
    "Descriptor",
    "LtkmManagement",
    "LtkmReport",
    "ParentalControl",
    "Rating",
    "ReportEntry",
    "StkmManagement",
    "Subtype",
    "bcast_extension",
    "decode_fields",
    "encode_fields",
    "only_extension",
    "ratings_of",
]
