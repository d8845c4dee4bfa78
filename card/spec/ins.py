"""Instruction bytes (TS 102 221 clause 10.1.2, TS 102 222, TS 31.102 clause 7, GPC Card Specification clause 11).

Also of commands that this card does not answer: `card.commands.table` has those it does.
"""

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
    INITIALIZE_UPDATE = 0x50
    BCMCS = 0x58
    MANAGE_CHANNEL = 0x70
    MANAGE_SECURE_CHANNEL = 0x73
    TRANSACT_DATA = 0x75
    SUSPEND_UICC = 0x76
    GET_IDENTITY = 0x78
    EXTERNAL_AUTHENTICATE = 0x82
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
    GET_DATA = 0xCA
    RETRIEVE_DATA = 0xCB
    RESIZE_FILE = 0xD4
    UPDATE_BINARY = 0xD6
    PUT_KEY = 0xD8
    SET_DATA = 0xDB
    UPDATE_RECORD = 0xDC
    CREATE_FILE = 0xE0
    STORE_DATA = 0xE2
    DELETE_FILE = 0xE4
    TERMINATE_DF = 0xE6
    TERMINATE_EF = 0xE8
    SET_STATUS = 0xF0
    STATUS = 0xF2
    SLEEP = 0xFA
    TERMINATE_CARD_USAGE = 0xFE


class PlatformIns(IntEnum):
    """GlobalPlatform's instructions whose byte means something else in the interindustry class."""

    INSTALL = 0xE6
    LOAD = 0xE8
