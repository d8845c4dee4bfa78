"""Instruction bytes (TS 102 221 clause 10.1.2, TS 31.102 clause 7)."""

from __future__ import annotations

from enum import IntEnum


class INS(IntEnum):
    """The second byte of a command APDU."""

    DEACTIVATE_FILE = 0x04
    TERMINAL_PROFILE = 0x10
    FETCH = 0x12
    TERMINAL_RESPONSE = 0x14
    OMA_BCAST = 0x1B
    VERIFY_PIN = 0x20
    CHANGE_PIN = 0x24
    DISABLE_PIN = 0x26
    ENABLE_PIN = 0x28
    UNBLOCK_PIN = 0x2C
    INCREASE = 0x32
    ACTIVATE_FILE = 0x44
    BCMCS = 0x58
    MANAGE_CHANNEL = 0x70
    MANAGE_SECURE_CHANNEL = 0x73
    TRANSACT_DATA = 0x75
    GET_CHALLENGE = 0x84
    AUTHENTICATE = 0x88
    AUTHENTICATE_ODD = 0x89
    SEARCH_RECORD = 0xA2
    SELECT = 0xA4
    TERMINAL_CAPABILITY = 0xAA
    READ_BINARY = 0xB0
    READ_RECORD = 0xB2
    GET_RESPONSE = 0xC0
    ENVELOPE = 0xC2
    RETRIEVE_DATA = 0xCB
    UPDATE_BINARY = 0xD6
    SET_DATA = 0xDB
    UPDATE_RECORD = 0xDC
    STATUS = 0xF2
