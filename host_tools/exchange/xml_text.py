"""XML documents, read and written in one place. A document becomes a tree of plain values; lxml is seen nowhere else.

What is read comes from anybody. A DOCTYPE is refused, so there are no entities and nothing is fetched; size and depth
are bounded; the encodings are UTF-8, US-ASCII and UTF-16. Comments and processing instructions are passed over.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from types import MappingProxyType

from lxml import etree

from card.errors import DecodeError, EncodeError
from card.lean import lean_dataclass

LARGEST_DOCUMENT = 65_536
"""Octets of a document; ours."""
DEEPEST = 32
"""Elements inside each other; ours."""
_DECLARATION = re.compile(r"\s*<\?xml\s([^?]{0,128})\?>")
_ENCODING = re.compile(r"""encoding\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SINGLE_OCTET = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})
_PARSER = etree.XMLParser(
    resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
)
"""Of a document it keeps what was wrong with it until the next one; lxml lets one thread at a time use it."""


@lean_dataclass(frozen=True, slots=True)
class Node:
    """An element: local name, namespace ("" for none), attributes by local name, children, text of its own.

    Text and attributes are without the space around them. They stay out of the repr: some are keys. Where an attribute
    of another namespace has the local name of one without, it is left out: an extension changes nothing (TS 26.346
    clause 11.4).
    """

    name: str
    namespace: str = ""
    children: tuple[Node, ...] = ()
    text: str = field(default="", repr=False)
    attributes: Mapping[str, str] = field(default_factory=lambda: _NO_ATTRIBUTES, repr=False)

    def all(self, name: str) -> tuple[Node, ...]:
        """Return the children of this local name, in either case of its letters.

        They are in the namespace of this element, whichever that is, or in none. Those of another one are extensions:
        the schemas of TS 26.346 clause 11 leave room for them, and their names mean nothing here.
        """
        wanted = name.lower()
        spaces = {self.namespace, ""}
        return tuple(
            child
            for child in self.children
            if child.name.lower() == wanted and (child.namespace in spaces or not self.namespace)
        )

    def one(self, name: str) -> Node:
        """Return the only child of this local name. Raises `DecodeError` when there is none or another."""
        found = self.maybe(name)
        if found is None:
            raise DecodeError(f"{self.name} has no {name}")
        return found

    def maybe(self, name: str) -> Node | None:
        """Return the only child of this local name, None when there is none. Raises `DecodeError` for several."""
        found = self.all(name)
        if len(found) > 1:
            raise DecodeError(f"{self.name} has {len(found)} {name} and may have one")
        return found[0] if found else None

    def attribute(self, name: str) -> str:
        """Return an attribute. Raises `DecodeError` when it is missing."""
        if name not in self.attributes:
            raise DecodeError(f"{self.name} has no attribute {name}")
        return self.attributes[name]


def parse_document(body: bytes, *roots: str) -> Node:
    """Read a document whose root has one of these local names, in either case of its letters. Raises `DecodeError`."""
    if len(body) > LARGEST_DOCUMENT:
        raise DecodeError(f"the document has {len(body)} octets, more than {LARGEST_DOCUMENT}")
    text = _without_declaration(_text(body))
    if "<!DOCTYPE" in text:
        raise DecodeError("the document has a DOCTYPE")
    try:
        root = etree.fromstring(text.encode(), _PARSER)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise DecodeError(f"the document is not well-formed (line {line}, column {column})") from None
    except (ValueError, UnicodeEncodeError):
        raise DecodeError("the document is not well-formed") from None
    node = _node(root, 1)
    if node.name not in roots and node.name.lower() not in {name.lower() for name in roots}:
        raise DecodeError(f"the document is no {' or '.join(roots)}")
    return node


def write_document(root: Node, prefixes: Mapping[str, str] = _NO_ATTRIBUTES) -> bytes:
    """Return a document in UTF-8: a declaration, a line feed, one line.

    `prefixes` gives namespaces their prefixes, "" for the default one; without them that is the namespace of the root.
    Raises `EncodeError` for what XML cannot hold.
    """
    names = {prefix or None: space for prefix, space in prefixes.items()} or {None: root.namespace}
    try:
        element = _element(root, names)
        text: bytes = etree.tostring(element, encoding="UTF-8", xml_declaration=False)
    except ValueError:
        raise EncodeError("a text holds what XML cannot hold") from None
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + text


def words(text: str) -> str:
    """Return a text for people with U+FFFD in place of what XML cannot hold (XML 1.0, production 2).

    Words of an error may quote what a peer sent, in whatever encoding that was.
    """
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _text(body: bytes) -> str:
    try:
        if body.startswith(_UTF_16):
            return body.decode("utf-16")
        return body.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError:
        raise DecodeError("the document is not in UTF-8, US-ASCII or UTF-16") from None


def _without_declaration(text: str) -> str:
    found = _DECLARATION.match(text)
    if found is None:
        return text
    named = _ENCODING.search(found[1])
    name = (named[1] or named[2] or "").lower() if named else "utf-8"
    if name not in _SINGLE_OCTET and not name.startswith("utf-16"):
        raise DecodeError("the document names an encoding other than UTF-8, US-ASCII and UTF-16")
    return text[found.end() :]


def _node(element: etree._Element, depth: int) -> Node:
    if depth > DEEPEST:
        raise DecodeError(f"the document is more than {DEEPEST} elements deep")
    own = [element.text or ""]
    children: list[Node] = []
    for child in element:
        if not isinstance(child.tag, str):
            raise DecodeError("the document refers to an entity")
        children.append(_node(child, depth + 1))
        own.append(child.tail or "")
    space, _, name = element.tag.removeprefix("{").rpartition("}")
    attributes = {key.rpartition("}")[2]: value.strip() for key, value in element.attrib.items()}
    attributes |= {key: value.strip() for key, value in element.attrib.items() if not key.startswith("{")}
    return Node(name, space, tuple(children), "".join(own).strip(), attributes or _NO_ATTRIBUTES)


def _element(node: Node, names: Mapping[str | None, str]) -> etree._Element:
    element = etree.Element(_qualified(node), nsmap=names)
    _fill(element, node)
    return element


def _fill(element: etree._Element, node: Node) -> None:
    for name, value in node.attributes.items():
        element.set(name, value)
    element.text = node.text or None
    for child in node.children:
        _fill(etree.SubElement(element, _qualified(child)), child)


def _qualified(node: Node) -> str:
    return f"{{{node.namespace}}}{node.name}" if node.namespace else node.name


def leaves(namespace: str, values: Mapping[str, str | None]) -> Iterator[Node]:
    """Return an element for each value that is there, in order."""
    return (Node(name, namespace, text=text) for name, text in values.items() if text is not None)
