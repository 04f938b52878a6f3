"""The source of a Python script and of its own modules beside it, read and never run."""

import ast
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hpo.errors import ConfigError
from hpo.proposing.arguments import Unread

Function = ast.FunctionDef | ast.AsyncFunctionDef
ST_CHECKPOINT_DIR = "st_checkpoint_dir"
"""The argument by which Syne Tune says where checkpoints are, and the value of its constant of that name."""
ST_CONFIG_JSON = "st_config_json_filename"
"""The argument by which it gives all others in a file."""
_OPERATORS: dict[type, Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass
class Source:
    """One file."""

    path: Path
    tree: ast.Module
    main: bool = True
    """Is it the script itself, not a module that it imports?"""

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Everything in it that has a place, in the order of the text. What a module does as a script is left out."""
        found: list[ast.AST] = []
        todo: list[ast.AST] = [self.tree]
        while todo:
            node = todo.pop()
            if not self.main and isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
                continue
            found.append(node)
            todo += ast.iter_child_nodes(node)
        placed: list[Any] = [node for node in found if hasattr(node, "lineno")]
        return sorted(placed, key=lambda node: (node.lineno, node.col_offset))

    @cached_property
    def calls(self) -> list[ast.Call]:
        """All calls, in order."""
        return [node for node in self.nodes if isinstance(node, ast.Call)]

    @cached_property
    def functions(self) -> dict[str, Function]:
        """Those of the module and of its classes, by name."""
        return {node.name: node for node in self.nodes if isinstance(node, Function)}

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """By name."""
        return {node.name: node for node in self.nodes if isinstance(node, ast.ClassDef)}

    @cached_property
    def assigned(self) -> dict[str, ast.expr]:
        """What was last given to each name."""
        pairs: dict[str, ast.expr] = {}
        for node in self.nodes:
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                pairs[ast.unparse(node.targets[0])] = node.value
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                pairs[ast.unparse(node.target)] = node.value
        return pairs

    @cached_property
    def _imported(self) -> dict[str, str]:
        names: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                names |= {
                    a.asname or a.name.partition(".")[0]: a.name if a.asname else a.name.partition(".")[0]
                    for a in node.names
                }
            elif isinstance(node, ast.ImportFrom):
                names |= {a.asname or a.name: f"{'.' * node.level}{node.module or ''}.{a.name}" for a in node.names}
        return names

    def full_name(self, node: ast.AST) -> str:
        """What a name stands for: `typer.Option`, however it was imported."""
        first, dot, rest = ast.unparse(node).partition(".")
        return self._imported.get(first, first) + dot + rest

    def imports(self, package: str) -> bool:
        """Is a package, or something in it, imported?"""
        return any(name.partition(".")[0] == package for name in self._imported.values())

    def where(self, node: ast.AST) -> str:
        """Its place, for a reader who has the script open."""
        line = f"line {getattr(node, 'lineno', 0)}"
        return line if self.main else f"{self.path.name} {line}"

    def value(self, node: ast.AST | None, depth: int = 0) -> Any:
        """A constant, also one that has a name or is a product; anything else is `Unread`."""
        if node is None:
            return None
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            pass
        if self.full_name(node).endswith(f".{ST_CHECKPOINT_DIR.upper()}"):
            return ST_CHECKPOINT_DIR
        if isinstance(node, ast.JoinedStr):
            parts = [self.value(part.value if isinstance(part, ast.FormattedValue) else part) for part in node.values]
            if not any(isinstance(part, Unread) for part in parts):
                return "".join(map(str, parts))
        if isinstance(node, ast.Name) and node.id in self.assigned and depth < 9:
            value = self.value(self.assigned[node.id], depth + 1)
            return Unread(ast.unparse(node)) if isinstance(value, Unread) else value
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS and depth < 9:
            parts = [self.value(side, depth + 1) for side in (node.left, node.right)]
            if isinstance(node.op, ast.Add) and all(type(part) is str for part in parts):
                return "".join(parts)
            if all(isinstance(part, int | float) for part in parts) and not (type(node.op) is ast.Div and not parts[1]):
                return _OPERATORS[type(node.op)](*parts)
        if isinstance(node, ast.List | ast.Tuple):
            parts = [self.value(item, depth + 1) for item in node.elts]
            if not any(isinstance(part, Unread) for part in parts):
                return parts
        return Unread(ast.unparse(node))

    def keywords(self, call: ast.Call) -> dict[str, ast.expr]:
        """What is given by name."""
        return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}


def read_sources(script: Path) -> list[Source]:
    """The script, and the modules of the user's that it imports by name.

    Raises:
        ConfigError: it is no Python.
    """
    first = Source(script, _parse(script))
    files: dict[Path, None] = {}
    for node in first.nodes:
        for module in _modules(node):
            for file in (f"{module.replace('.', '/')}.py", f"{module.replace('.', '/')}/__init__.py"):
                if (path := script.parent / file).is_file() and path.resolve() != script.resolve():
                    files[path] = None
    return [first, *(Source(path, _parse(path), main=False) for path in files)]


def _modules(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import():
            yield from (alias.name for alias in node.names)
        case ast.ImportFrom(module=str(module)):
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        case ast.ImportFrom():
            yield from (alias.name for alias in node.names)


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError) as error:
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ConfigError(f"{path}: is not valid Python{line} ({error}); correct it first") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from error
