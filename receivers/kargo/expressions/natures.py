"""What is known of a value before there is one: expr-lang refuses an expression whose parts cannot fit each other.

That counts although no environment is declared to it: literals and the results of built-ins have types, and an
expression that never reaches its misfit is refused all the same. Where both sides of ``==`` are known as int, or as
string, they are taken for such, and it is an error if one turns out to be something else.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Nature:
    """A type of Go by its name, and its kind; for a list that of its items, as far as known."""

    type: str = ""
    kind: str = ""
    item: "Nature | None" = None
    nil: bool = False
    out: "Nature | None" = None  # of a predicate

    @property
    def unknown(self) -> bool:
        return (not self.type and not self.nil) or self.type == "any"

    @property
    def number(self) -> bool:
        return self.type in {"int", "float"}

    def assignable(self, to: "Nature") -> bool:
        if self.nil:
            return to.kind in {"interface", "func", "map", "list"}
        if not self.type or not to.type:
            return False
        return to.kind == "interface" or self.type == to.type

    def comparable(self, to: "Nature") -> bool:
        return (
            self.unknown
            or to.unknown
            or self.nil
            or to.nil
            or (self.number and to.number)
            or (self.kind == to.kind == "list")
            or self.assignable(to)
        )

    def fits(self, other: "Nature", *types: str) -> bool:
        """Whether both may be of these types, as at least one is not known."""
        if self.unknown:
            return other.unknown or other.type in types
        return other.unknown and self.type in types

    @property
    def element(self) -> "Nature":
        """Of what is in a list or a map."""
        return self.item or _ELEMENTS.get(self.type, UNKNOWN)

    @property
    def key(self) -> "Nature":
        """Of what a map is asked for."""
        return STRING if self.type == "map[string]any" else ANY

    @property
    def plain(self) -> "Nature":
        """The type alone."""
        return Nature(self.type, self.kind) if self.type else UNKNOWN

    def listed(self) -> "Nature":
        return Nature("[]any", "list", item=self)


UNVISITED = UNKNOWN = Nature()
NIL = Nature(nil=True)
ANY = Nature("any", "interface")
BOOL = Nature("bool", "bool")
INT = Nature("int", "int")
FLOAT = Nature("float", "float")
STRING = Nature("string", "string")
LIST = Nature("[]any", "list")
STRINGS = Nature("[]string", "list")
MAP = Nature("map[string]any", "map")
GROUPS = Nature("map[any][]any", "map")
ANY_MAP = Nature("map[any]any", "map")
TIME = Nature("time.Time", "struct")
DURATION = Nature("time.Duration", "int64")
FUNCTION = Nature("func", "func")
_ELEMENTS = {
    "[]any": ANY,
    "[]string": STRING,
    "map[string]any": ANY,
    "map[any][]any": LIST,
    "map[any]any": ANY,
}
