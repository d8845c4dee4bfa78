"""Containers: protected content with the STKMs that open it."""
