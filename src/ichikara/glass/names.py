r"""Names read from LaTeX: symbols with what stands above, below and behind them."""

from .expression import Call, Comparison, Expression, Logic, Negative, Number, Sum, Symbol
from .latex import ESCAPED, FUNCTIONS, LETTERS
from .tokens import Reader, Token

__all__ = ["ELSE", "WHERE", "NameReader", "read_number"]

WHERE, ELSE = r"\text{ where }", r"\text{ else }"
_ACCENTS = (r"\bar", r"\hat", r"\tilde")


class NameReader(Reader):
    """Reads symbols; what stands in their indices is read by the class derived from it."""

    def expression(self, equals: bool = True) -> Expression:
        raise NotImplementedError

    def atom(self) -> Expression:
        raise NotImplementedError

    def group(self) -> Expression:
        raise NotImplementedError

    def decorated(self) -> Expression | None:
        self.take("{")
        if self.text in FUNCTIONS or self.text.startswith(r"\operatorname"):
            symbol = self.function_symbol()
        else:
            symbol = self.symbol()
        symbol = self.decorations(symbol, superscript=True)
        self.take("}")
        return self.decorations(symbol) if symbol.superscript else None

    def name(self) -> bool:
        """Whether a symbol begins here."""
        text = self.text
        letter = len(text) == 1 and text.isalpha()
        return letter or text in LETTERS or text in _ACCENTS or is_word(text)

    def symbol(self) -> Symbol:
        if not self.name():
            raise self.error("a name was expected")
        text = self.next().text
        if text in _ACCENTS:
            braces = self.passed("{")
            inner = self.symbol()
            if braces:
                self.take("}")
            return self.decorations(Symbol(inner.base, inner.subscript, (), inner.primes, text[1:]))
        base = LETTERS.get(text) or (unescaped(text) if is_word(text) else text)
        return self.decorations(Symbol(base))

    def decorations(self, symbol: Symbol, superscript: bool = False) -> Symbol:
        """The symbol with what follows it: subscript and primes; in braces a superscript too."""
        below, above, primes = symbol.subscript, symbol.superscript, symbol.primes
        while True:
            if self.passed("_"):
                below = self.indices()
            elif self.passed("'"):
                primes += 1
            elif superscript and self.passed("^"):
                above = self.indices()
            else:
                return Symbol(symbol.base, below, above, primes, symbol.accent)

    def indices(self) -> tuple[Expression, ...]:
        """The indices below or above a symbol: with commas, or side by side."""
        if not self.passed("{"):
            return (self.index(),)
        whole = self.attempt(self.whole_index)
        if whole is not None:
            return (whole,)
        items = self.attempt(self.with_commas)
        if items is not None:
            return items
        found = []
        while self.text != "}":
            found.append(self.index())
        self.take("}")
        return tuple(found)

    def with_commas(self) -> tuple[Expression, ...] | None:
        found = [self.expression()]
        while self.passed(","):
            found.append(self.expression())
        self.take("}")
        return tuple(found) if len(found) > 1 else None

    def whole_index(self) -> Expression | None:
        """One index that is a sum, a comparison or a number of several figures in braces of its own."""
        if self.passed("{"):
            found: Expression = read_number(self.next().text) if self.text.isdigit() else self.expression()
            self.take("}")
        else:
            found = self.expression()
            if not isinstance(found, Sum | Negative | Comparison | Logic) and not (
                isinstance(found, Call) and found.function == Symbol("mod")
            ):
                return None
        self.take("}")
        return found

    def index(self) -> Expression:
        """One of several indices side by side."""
        self.passed(r"\,")
        return self.digit() if self.text[:1].isdigit() else self.atom()

    def function_symbol(self) -> Symbol:
        text = self.next().text
        if text == r"\log":
            self.take("_")
            base = self.group()
            name = {Number(2): "log2", Number(10): "log10"}.get(base)  # type: ignore[call-overload]
            if name is None:
                raise self.error("a logarithm has the base 2 or 10; that of base e is \\ln")
            return Symbol(name)
        name = FUNCTIONS.get(text) or unescaped(text)
        return self.decorations(Symbol(name))

    def digit(self) -> Expression:
        """One figure of a number, as in ``\\tfrac12``."""
        token = self.token
        if len(token.text) == 1:
            self.next()
        else:
            self.tokens[self.i] = Token(token.text[1:], token.place + 1, False)
        return Number(int(token.text[0]))


def is_word(text: str) -> bool:
    """Whether it is a name of several letters."""
    return text.startswith((r"\mathit", r"\text")) and text not in (WHERE, ELSE)


def unescaped(text: str) -> str:
    """The name in a command's braces."""
    inner = text[text.index("{") + 1 : -1]
    for character in ESCAPED:
        inner = inner.replace("\\" + character, character)
    return inner.replace(r"\ ", " ")


def read_number(text: str) -> Expression:
    """The number of a token."""
    if r"\times" in text:
        figures, exponent = text.split(r"\times")
        return Number(float(f"{figures.strip()}e{exponent.split('{')[1][:-1]}"))
    return Number(float(text) if "." in text else int(text))
