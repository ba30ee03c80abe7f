"""What a sum takes from an event: fields, and the little arithmetic that keeps sums invertible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """A field of an event, or of one element of a list in it: `f.currency`, `f.lines.code`."""

    path: tuple[str, ...]

    def __getattr__(self, name: str) -> Field:
        if name.startswith("__"):
            raise AttributeError(name)
        return Field((*self.path, name))

    def __pos__(self) -> Field:
        return self

    def __neg__(self) -> Product:
        return Product(-1, (self,))

    def __mul__(self, other: Field) -> Product:
        return Product(1, (self, other))

    def __str__(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True)
class Product:
    """Fields multiplied with each other and with +1 or -1."""

    sign: int
    fields: tuple[Field, ...]

    def __pos__(self) -> Product:
        return self

    def __neg__(self) -> Product:
        return Product(-self.sign, self.fields)

    def __mul__(self, other: Field) -> Product:
        return Product(self.sign, (*self.fields, other))

    def __str__(self) -> str:
        return ("-" if self.sign < 0 else "") + "*".join(map(str, self.fields))


Expression = int | Field | Product


class _Fields:
    """`f.name` is the field `name` of the event."""

    def __getattr__(self, name: str) -> Field:
        return Field((name,))


f = _Fields()


def fields_of(expression: Expression) -> Iterator[Field]:
    """The fields an expression reads."""
    if isinstance(expression, Field):
        yield expression
    elif isinstance(expression, Product):
        yield from expression.fields
