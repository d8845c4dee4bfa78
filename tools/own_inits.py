"""Writes the `__init__` of lean dataclasses into source that is to be compiled.

`dataclass` writes an `__init__` when the program runs, which mypyc cannot see: each value of a compiled card was still
made by the interpreter, a tenth of an STKM. What is written here does the same, and `dataclass` leaves it alone.
"""

from __future__ import annotations

import ast

_DECORATOR = "lean_dataclass"
_INDENT = 4
_UNDERSTOOD = frozenset({"default", "init", "repr", "compare", "hash", "metadata"})  # what `field` may be told


def with_own_inits(source: str) -> str:
    """Return source in which each lean dataclass has its `__init__`.

    Those that inherit, have one, or have a field of a kind that is not written here (made anew for each value, by
    keyword only, for `__post_init__` only) are left as they are.
    """
    lines = source.splitlines(keepends=True)
    classes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef) and _is_lean(node)]
    # From the end on; where two end at once the outer one first, which the inner one then goes before.
    for node in sorted(classes, key=lambda found: (-(found.end_lineno or 0), found.lineno)):
        lines[node.end_lineno : node.end_lineno] = _init(node)
    return "".join(lines)


def _is_lean(node: ast.ClassDef) -> bool:
    decorated = any(isinstance(it, ast.Call) and ast.unparse(it.func) == _DECORATOR for it in node.decorator_list)
    return decorated and not node.bases


def _init(node: ast.ClassDef) -> list[str]:
    """Return the lines of the `__init__` of a class; none where it is not written here."""
    methods = {it.name for it in node.body if isinstance(it, ast.FunctionDef)}
    fields = [it for it in node.body if isinstance(it, ast.AnnAssign) and not _is_of_class(it)]
    options = {ast.unparse(field.target): _options(field) for field in fields}
    if "__init__" in methods or not fields or not all(map(_is_understood, fields)):
        return []
    taken = [field for field in fields if "init" not in options[ast.unparse(field.target)]]
    parameters = ", ".join(_parameter(field, options[ast.unparse(field.target)]) for field in taken)
    # The classes are frozen for the type checker, which reads this, too.
    body = [f"self.{ast.unparse(it.target)} = {ast.unparse(it.target)}  # type: ignore[misc]" for it in taken]
    body += ["self.__post_init__()"] if "__post_init__" in methods else []
    indent = " " * (node.col_offset + _INDENT)
    head = f"\n{indent}def __init__(self, {parameters}) -> None:\n"
    return [head, *(f"{indent}{' ' * _INDENT}{line}\n" for line in body)]


def _is_of_class(field: ast.AnnAssign) -> bool:
    return _kind(field) == "ClassVar"


def _is_understood(field: ast.AnnAssign) -> bool:
    """Tell whether a field is a plain parameter, or is left to `__post_init__`."""
    told = _options(field)
    is_plain = _kind(field) not in ("InitVar", "KW_ONLY") and told.keys() <= _UNDERSTOOD
    return is_plain and ("init" not in told or (told["init"] == "False" and "default" not in told))


def _kind(field: ast.AnnAssign) -> str:
    """Return what the annotation begins with, without its module."""
    return ast.unparse(field.annotation).partition("[")[0].rpartition(".")[2]


def _options(field: ast.AnnAssign) -> dict[str, str]:
    """Return what `field(...)` says, by name, or the plain default of a field."""
    value = field.value
    if isinstance(value, ast.Call) and ast.unparse(value.func) in ("field", "dataclasses.field"):
        return {word.arg: ast.unparse(word.value) for word in value.keywords if word.arg}
    return {} if value is None else {"default": ast.unparse(value)}


def _parameter(field: ast.AnnAssign, options: dict[str, str]) -> str:
    default = f" = {options['default']}" if "default" in options else ""
    return f"{ast.unparse(field.target)}: {ast.unparse(field.annotation)}{default}"
