"""Random literals, and calls on them: what is hard about numbers, strings, JSON and Unicode."""

import json
import math
import random
import struct

_ESCAPES = [*"ae大\r\t", r"\n", r"\'", r"\"", r"\x4", r"\x41", r"\u00e", r"\u00e9", r"\u{1F600}", r"\u{", r"\U0001F600"]
_ESCAPES += [r"\101", r"\400", r"\8", r"\q", "\\\\", r"\`", r"\?", r"\a"]
_CHARACTERS = "aAzZ09 éÉßÀÿĀǅΣςσжЖ大🙂İ\u0131\u0307\u00a0\u2003\u1e9e\u2028\u200bﬁⅷ①"
_JSON = [
    "1",
    "-0",
    "1.5",
    "1E+2",
    "01",
    "-",
    "nul",
    "null",
    "true",
    '"a"',
    r'"\u00e9"',
    r'"\ud83d\ude00"',
    r'"\ud800x"',
]
_JSON += [r'"\x"', "NaN", "1.", "1e400", ".5", '"\t"', "'a'", ""]
_BASE64 = ["YQ==", "YWI=", "YWJj", "YQ=", "YQ", "YR==", "Y Q==", "YQ==YQ==", "YW\nJj", "a", "/w==", "-_=="]
_PATTERNS = [
    "^a",
    "[a-z]+$",
    "(?i)é",
    r"\w",
    r"\s",
    "[[:alpha:]]",
    r"\pL",
    "a{2}",
    "(",
    "é|大",
    "^$",
    r"\d",
    r"\b",
    "x*",
]
_PARTS = {
    "year": ["2024", "1900", "0000", "9999", "2000", "24", "1969"],
    "month": ["01", "02", "12", "1", "00", "13"],
    "day": ["01", "28", "29", "30", "31", "00", "32", "2"],
    "hour": ["00", "9", "23", "24", "12"],
    "second": ["00", "59", "60", "7", "07"],
}
_FRACTIONS = [".5", ",25", ".123456789", ".1234567899999", ".", ".x", ".0000000001"]
_ZONES = ["+02:00", "-00:01", "+24:60", "+25:00", "-11:61", "+0200", "z", "+5:00", "ZZ", "+23:59"]
_AMOUNTS = [
    "1",
    "1.5",
    ".5",
    "0.000000001",
    "1.",
    ".",
    "",
    "9223372036854775807",
    "9223372036854775808",
    "2562047",
    "0.1",
    "007",
]
_AMOUNTS += [
    "2562047.788015215",
    "0.9223372036854775807999",
    "3.3333333333333333333333",
    "153722867",
    "9223372036.854775808",
]
_UNITS = ["ns", "us", "\u00b5s", "\u03bcs", "ms", "s", "m", "h", "h", "m", "s", "d", "", "S", "mm"]
_BITS = ["bitand", "bitor", "bitxor", "bitnand", "bitshl", "bitshr", "bitushr"]
_BETWEEN = [
    "trim",
    "trimPrefix",
    "trimSuffix",
    "indexOf",
    "lastIndexOf",
    "split",
    "splitAfter",
    "hasPrefix",
    "hasSuffix",
]


class Literals:
    """Draws expressions; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - nothing secret

    def expression(self) -> str:
        draws = [self._number, self._escaped, self._read, self._shown, self._of_text, self._of_texts, self._computed]
        return self._random.choice([*draws, self._of_integers, self._time, self._duration])()

    def _pick[Item](self, *options: Item) -> Item:
        return self._random.choice(options)

    def _drawn(self, pieces: str | list[str], most: int) -> str:
        return "".join(self._random.choice(pieces) for _ in range(self._random.randint(0, most)))

    def _digits(self) -> str:
        return self._drawn("0011259_.eExXoObB+-fa", 7)

    def _float(self) -> str:
        (bits,) = struct.unpack("<d", struct.pack("<Q", self._random.getrandbits(64)))
        ratio = self._random.randint(0, 10**22) / 10 ** self._random.randint(0, 25)
        number = self._pick(bits, ratio, float(self._random.randint(0, 10 ** self._random.randint(1, 24))))
        return repr(abs(number)) if math.isfinite(number) else "1.5"

    def _integer(self) -> int:
        return self._pick(self._random.randint(-(2**63) + 1, 2**63 - 1), self._random.randint(-9, 70))

    def _time(self) -> str:
        """In a layout that ``date()`` tries, or nearly."""
        digits = [self._pick(*_PARTS[name]) for name in ("year", "month", "day", "hour", "second", "second")]
        day, time = "-".join(digits[:3]), ":".join(digits[3:]) + self._pick("", "", *_FRACTIONS)
        between, zone = self._pick("T", "T", " ", "   ", "t", ""), self._pick("Z", "Z", "", *_ZONES)
        text = self._pick(day, time, f"{day} {time}", f"{day}T{time}{zone}", f"{day}{between}{time}{zone}")
        return f"date({_quoted(text)})"

    def _duration(self) -> str:
        parts = [
            self._pick(*_AMOUNTS, str(abs(self._integer()))) + self._pick(*_UNITS)
            for _ in range(self._pick(1, 1, 2, 3))
        ]
        return f"duration({_quoted(self._pick('', '', '-', '+') + self._pick('', *parts, ''.join(parts)))})"

    def _text(self, most: int = 6) -> str:
        return _quoted(self._drawn(_CHARACTERS, most))

    def _number(self) -> str:
        return self._pick(self._digits(), f"[{self._digits()}, {self._digits()}]")

    def _escaped(self) -> str:
        quote = self._pick("'", '"', "`")
        return quote + self._drawn(_ESCAPES, 5) + quote

    def _read(self) -> str:
        return self._pick(
            f"float({_quoted(self._digits())})",
            f"int({_quoted(self._digits())})",
            f"fromJSON({_quoted(self._json(0))})",
            f"fromBase64({_quoted(self._pick(self._drawn('aA0+/=-_ ', 8), *_BASE64))})",
        )

    def _json(self, depth: int) -> str:
        if depth > 2 or self._random.random() < 0.4:
            return self._pick(*_JSON)
        items = [self._json(depth + 1) for _ in range(self._random.randint(0, 3))]
        if self._random.random() < 0.5:
            return "[" + self._pick(",", " , ", ",,").join(items) + self._pick("]", "]", "]", ",]", "")
        return "{" + ",".join(self._pick('"a":', r'"\u0061" : ', "a:", '"b"::') + item for item in items) + "}"

    def _shown(self) -> str:
        return self._pick(
            f"string({self._float()})",
            f"toJSON([{self._float()}, -{self._float()}])",
            f"string([{self._float()}, {self._text()}, nil, {{{self._text(1)}: -{self._float()}, b: [true]}}])",
            f"toJSON({{{self._text(1)}: {self._text()}, b: {self._integer()}}})",
        )

    def _of_text(self) -> str:
        bounds = [self._pick("", str(self._random.randint(-6, 6))) for _ in range(2)]
        return self._pick(
            f"{self._pick('upper', 'lower', 'trim', 'toBase64', 'len')}({self._text()})",
            f"{self._text()}[{bounds[0]}:{bounds[1]}]",
            f"{self._text()} matches {_quoted(self._pick(*_PATTERNS))}",
        )

    def _of_texts(self) -> str:
        count = self._random.randint(-2, 4)
        return self._pick(
            f"{self._pick(*_BETWEEN)}({self._text()}, {self._text(2)})",
            f"replace({self._text()}, {self._text(1)}, {self._text(2)}, {count})",
            f"{self._pick('split', 'splitAfter')}({self._text()}, {self._text(1)}, {count})",
            f"{self._text()} {self._pick('<', '>=', '==', 'contains', 'startsWith', 'endsWith')} {self._text(3)}",
        )

    def _computed(self) -> str:
        other = self._pick(self._float(), str(self._random.randint(-9, 20)))
        return self._pick(
            f"{self._float()} {self._pick('+', '-', '*', '/', '**', '<', '==')} {other}",
            f"{self._pick('ceil', 'floor', 'round', 'abs', 'int')}({self._pick('', '-')}{self._float()})",
        )

    def _of_integers(self) -> str:
        return self._pick(
            f"{self._integer()} {self._pick('+', '-', '*', '/', '%', '<', '==', '**')} {self._integer()}",
            f"{self._pick(*_BITS)}({self._integer()}, {self._integer()})",
        )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\u2028", "\\u2028")
