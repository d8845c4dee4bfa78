"""Writes the `__init__` of lean dataclasses into source that is to be compiled.

`dataclass` writes an `__init__` when the program runs, which mypyc cannot see: each value of a compiled card was still
made by the interpreter, a tenth of an STKM. What is written here does the same, and `dataclass` leaves it alone.
"""

from __future__ import annotations

import ast

_DECORATOR = "lean_dataclass"
_INDENT = 4


def with_own_inits(source: str) -> str:
    """Return source in which each lean dataclass has its `__init__`.

    Those that inherit, have one, or have a field whose value is made anew for each are left as they are.
    """
    lines = source.splitlines(keepends=True)
    classes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef) and _is_lean(node)]
    for node in sorted(classes, key=lambda found: found.lineno, reverse=True):
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
    if "__init__" in methods or not fields or any("default_factory" in told for told in options.values()):
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
    return ast.unparse(field.annotation).startswith("ClassVar")


def _options(field: ast.AnnAssign) -> dict[str, str]:
    """Return what `field(...)` says, by name, or the plain default of a field."""
    value = field.value
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "field":
        return {word.arg: ast.unparse(word.value) for word in value.keywords if word.arg}
    return {} if value is None else {"default": ast.unparse(value)}


def _parameter(field: ast.AnnAssign, options: dict[str, str]) -> str:
    default = f" = {options['default']}" if "default" in options else ""
    return f"{ast.unparse(field.target)}: {ast.unparse(field.annotation)}{default}"
