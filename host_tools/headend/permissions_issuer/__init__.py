"""The permissions issuer: gives terminal binding keys by HTTPS to terminals that prove who they are."""
