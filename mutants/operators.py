"""Small faults as people make them, one at a time: each is a mutant of a module.

Comparisons, ``and``, ``or``, ``not``, sums, ``min`` and ``any`` are swapped for their opposites; numbers grow by one;
names, keys and other texts without a space become empty; conditions are turned round; a ``return`` gives None; a call
whose result nobody wants, and a ``raise``, are left out. What people read alone stays as it is (docstrings, sentences,
log lines), and so do annotations, decorators and the arguments of classes.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_SUMS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
_FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any"}
_SIMPLE = (ast.Name, ast.Attribute, ast.Call, ast.Await, ast.NamedExpr, ast.Subscript)  # conditions without an operator


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One fault in one file."""

    file: str  # from the root of the project
    lines: range  # those whose tests may notice it
    line: int  # where it is
    code: str  # that line
    start: int  # of the bytes that it replaces
    end: int
    before: str
    after: str

    def planted(self, source: bytes) -> bytes:
        """The file's source with this fault."""
        return source[: self.start] + self.after.encode() + source[self.end :]

    @property
    def change(self) -> str:
        """What is changed, in one line."""
        return f"{' '.join(self.before.split())}  ->  {self.after}"


def mutants(file: str, source: bytes) -> list[Mutant]:
    """Every mutant of a file, from its top to its end."""
    source_lines = source.split(b"\n")
    starts = [0, *accumulate(len(line) + 1 for line in source_lines)]
    found = [
        Mutant(
            file=file,
            lines=range(first, node.end_lineno + 1),
            line=node.lineno,
            code=source_lines[node.lineno - 1].decode().strip(),
            start=(start := starts[node.lineno - 1] + node.col_offset),
            end=(end := starts[node.end_lineno - 1] + node.end_col_offset),
            before=source[start:end].decode(),
            after=after,
        )
        for first, node, after in _faults(ast.parse(source), 1)
        if node.end_lineno is not None and node.end_col_offset is not None
    ]
    return sorted(found, key=lambda each: (each.start, each.end, each.after))


type _Fault = tuple[int, ast.expr | ast.stmt, str]  # the first line of its statement, what is replaced, and by what


def _faults(node: ast.AST, first: int) -> Iterator[_Fault]:
    if isinstance(node, ast.stmt):
        first = node.lineno
    for replaced, after in _faults_of(node):
        yield first, replaced, after
    for child in _code_of(node):
        yield from _faults(child, first)


def _faults_of(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:  # noqa: C901 - one case for each fault
    match node:
        case ast.Compare(left, operators, others):
            for index, operator in enumerate(operators):
                swapped = [*operators[:index], _COMPARISONS[type(operator)](), *operators[index + 1 :]]
                yield node, _text(ast.Compare(left, swapped, others))
        case ast.BoolOp(operator, values):
            yield node, _text(ast.BoolOp(ast.And() if isinstance(operator, ast.Or) else ast.Or(), values))
        case ast.UnaryOp(ast.Not(), operand):
            yield node, _text(operand)
        case ast.BinOp(left, operator, right) if type(operator) in _SUMS:
            yield node, _text(ast.BinOp(left, _SUMS[type(operator)](), right))
        case ast.AugAssign(target, operator, value) if type(operator) in _SUMS:
            yield node, ast.unparse(ast.AugAssign(target, _SUMS[type(operator)](), value))
        case ast.Constant(value) if (other := _other(value)) is not None:
            yield node, repr(other)
        case ast.Call(ast.Name(name) as function) if name in _FUNCTIONS:
            yield function, _FUNCTIONS[name]
        case ast.If(test) | ast.IfExp(test) if isinstance(test, _SIMPLE) and not _is_for_types(test):
            yield test, f"(not {_text(test)})"
        case ast.comprehension(ifs=tests):
            yield from ((test, f"(not {_text(test)})") for test in tests if isinstance(test, _SIMPLE))
        case ast.Return(value) if value is not None and not (isinstance(value, ast.Constant) and value.value is None):
            yield node, "return None"
        case ast.Expr(ast.Call() | ast.Await()) | ast.Raise() if not _is_log_line(node):
            yield node, "pass"


def _other(value: object) -> object:
    """Another constant; None for one that stays."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str() | bytes() if not value:
            return "mutant" if isinstance(value, str) else b"mutant"
        case str() | bytes() if len(value.split()) == 1:
            return type(value)()
    return None


def _code_of(node: ast.AST) -> Iterable[ast.AST]:  # noqa: PLR0911 - one for each kind
    """The parts of a node that decide anything."""
    match node:
        case ast.FunctionDef(args=arguments, body=body) | ast.AsyncFunctionDef(args=arguments, body=body):
            return [*arguments.defaults, *(each for each in arguments.kw_defaults if each is not None), *body]
        case ast.ClassDef(body=body):
            return body
        case ast.AnnAssign(value=value):
            return [] if value is None else [value]
        case ast.If(test, orelse=otherwise) if _is_for_types(test):
            return otherwise
        case ast.Expr(ast.Constant()) | ast.JoinedStr() | ast.TypeAlias():
            return []
        case _ if _is_log_line(node):
            return []
    return ast.iter_child_nodes(node)


def _is_for_types(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _is_log_line(node: ast.AST) -> bool:
    match node:
        case ast.Expr(ast.Call(ast.Attribute(ast.Name("logger")))):
            return True
    return False


def _text(node: ast.expr) -> str:
    """It may stand anywhere in an expression."""
    return f"({ast.unparse(node)})"
