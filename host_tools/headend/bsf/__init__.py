"""The bootstrapping server function (GBA)."""
