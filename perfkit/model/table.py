"""A named table with units: what reports show and `diagnosis.json` carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # half a second of import that `perfkit --help` must not pay
    import pandas as pd

Cell = str | int | float | bool | None


@dataclass(frozen=True)
class Column:
    """`unit` is `ns`, `bytes`, `ratio`, `per step`, or None for text and plain counts."""

    name: str
    unit: str | None = None


@dataclass(frozen=True)
class Table:
    """Rows of cells under named columns; None means not observable, never zero."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"a row of {len(row)} cells under {len(self.columns)} columns: {row}"
                )

    def records(self) -> list[dict[str, Cell]]:
        """One dict per row."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    def frame(self) -> pd.DataFrame:
        """The table as a DataFrame."""
        import pandas as pd

        columns = [column.name for column in self.columns]
        frame: pd.DataFrame = pd.DataFrame(self.records(), columns=columns)
        return frame

    def to_json(self) -> dict[str, Any]:
        columns = [
            {"name": c.name, "unit": c.unit} if c.unit else {"name": c.name} for c in self.columns
        ]
        return {"columns": columns, "rows": [list(row) for row in self.rows]}

    @staticmethod
    def from_json(data: dict[str, Any]) -> Table:
        columns = tuple(Column(c["name"], c.get("unit")) for c in data["columns"])
        return Table(columns, tuple(tuple(row) for row in data["rows"]))
