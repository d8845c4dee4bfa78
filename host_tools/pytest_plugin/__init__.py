"""The pytest plugin `bcast_uicc`: a card, a reader and a head-end as fixtures (docs/user/pytest.md)."""
