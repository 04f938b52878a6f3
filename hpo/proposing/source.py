"""The source of a Python script and of the modules beside it that it imports. It is parsed and never run."""

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
"""Argument by which Syne Tune passes the checkpoint folder, and the value of its constant of that name."""
ST_CONFIG_JSON = "st_config_json_filename"
"""Argument by which Syne Tune passes a JSON file with all other arguments."""
_OPERATORS: dict[type, Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass
class Source:
    """One parsed Python file."""

    path: Path
    tree: ast.Module
    main: bool = True
    """Whether the file is the script itself, not a module that it imports."""

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes with a position, in the order of the text, without what a module runs only as a script."""
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
        """All calls in the file, in order."""
        return [node for node in self.nodes if isinstance(node, ast.Call)]

    @cached_property
    def functions(self) -> dict[str, Function]:
        """Functions and methods of the file, by name."""
        return {node.name: node for node in self.nodes if isinstance(node, Function)}

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """Classes of the file, by name."""
        return {node.name: node for node in self.nodes if isinstance(node, ast.ClassDef)}

    @cached_property
    def assigned(self) -> dict[str, ast.expr]:
        """The expression last assigned to each name."""
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
        """Return the full name that a name stands for, such as `typer.Option`, however it was imported."""
        first, dot, rest = ast.unparse(node).partition(".")
        return self._imported.get(first, first) + dot + rest

    def imports(self, package: str) -> bool:
        """Whether the file imports a package, or something from it."""
        return any(name.partition(".")[0] == package for name in self._imported.values())

    def where(self, node: ast.AST) -> str:
        """Return the line of a node, with the file's name unless it is the script."""
        line = f"line {getattr(node, 'lineno', 0)}"
        return line if self.main else f"{self.path.name} {line}"

    def value(self, node: ast.AST | None, depth: int = 0) -> Any:
        """Return the constant at a node, also through names, sums and products; `Unread` if there is none."""
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
        """Return the keyword arguments of a call, by name."""
        return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}


def read_sources(script: Path) -> list[Source]:
    """Return the script and the user's modules beside it that it imports.

    Raises:
        ConfigError: A file is not valid Python, or cannot be read.
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
