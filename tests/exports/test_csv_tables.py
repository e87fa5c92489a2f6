from __future__ import annotations

import csv
from pathlib import Path

import pytest

from perfkit.base.errors import PerfkitError
from perfkit.exports.csv_tables import csv_tables
from perfkit.model.diagnosis import Coverage, Diagnosis, Verdict
from perfkit.model.table import Column, Table
from perfkit.rules import _engine, diagnose
from tests.sample_runs import ctr_run, hostile_run


def of(**tables: Table) -> Diagnosis:
    return Diagnosis("run", Verdict("", "", ""), Coverage(1, ""), tables=tables)


def one_column(*cells: str) -> Diagnosis:
    return of(t=Table((Column("a"),), tuple((cell,) for cell in cells)))


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream, strict=True))


@pytest.mark.parametrize("text", ["aten::mm", "-5", "+1.5", "a=b", "'x", "3 - 2", "", "<lambda>"])
def test_harmless_texts_stay_as_they_are(tmp_path: Path, text: str) -> None:
    csv_tables(one_column(text, "x"), tmp_path)
    assert rows(tmp_path / "t.csv")[1] == [text]


def test_numbers_stay_numbers_also_below_zero(tmp_path: Path) -> None:
    csv_tables(of(t=Table((Column("a", "ns"), Column("b")), ((-3, -0.5),))), tmp_path)
    assert (tmp_path / "t.csv").read_bytes() == b"a [ns],b\r\n-3,-0.5\r\n"


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|x", "-cmd", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", '=HYPERLINK("x")']
)
def test_a_formula_is_no_formula_any_more(tmp_path: Path, text: str) -> None:
    csv_tables(one_column(text), tmp_path)
    assert rows(tmp_path / "t.csv")[1] == [f"'{text}"]


def test_quotes_commas_and_lines_are_quoted_and_rows_end_as_rfc_4180_says(tmp_path: Path) -> None:
    csv_tables(one_column('say "a", b', "two\nlines"), tmp_path)
    expected = b'a\r\n"say ""a"", b"\r\n"two\nlines"\r\n'
    assert (tmp_path / "t.csv").read_bytes() == expected


def test_unknown_is_empty_and_truth_is_a_word(tmp_path: Path) -> None:
    csv_tables(of(t=Table((Column("a"), Column("b")), ((None, True), (0, False)))), tmp_path)
    assert rows(tmp_path / "t.csv")[1:] == [["", "true"], ["0", "false"]]


def test_every_table_and_the_findings_are_written(tmp_path: Path) -> None:
    diagnosis = diagnose(ctr_run(), _engine.outcome)
    written = csv_tables(diagnosis, tmp_path / "new" / "folder")
    assert {path.stem for path in written} == {"findings", *diagnosis.tables}
    for name, table in diagnosis.tables.items():
        found = rows(tmp_path / "new" / "folder" / f"{name}.csv")
        assert len(found) == len(table.rows) + 1
        assert all(len(row) == len(table.columns) for row in found)
    findings = rows(tmp_path / "new" / "folder" / "findings.csv")
    assert len(findings) - 1 == sum(max(1, len(o.findings)) for o in diagnosis.outcomes)


def test_hostile_texts_and_table_names_stay_in_the_folder(tmp_path: Path) -> None:
    diagnosis = diagnose(hostile_run(), _engine.outcome)
    table = Table((Column("a\x00b"),), (("x\ud800\x00",),))
    odd = {"../../escape": table, "": table, "a b": table, "a?b": table}
    named = Diagnosis("r", diagnosis.verdict, diagnosis.coverage, diagnosis.outcomes, odd)
    written = csv_tables(named, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(p.name for p in written)
    assert len(written) == 5 and all(path.parent == tmp_path / "out" for path in written)
    for path in written:
        assert rows(path)


def test_a_file_in_the_folders_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(PerfkitError, match="is a file"):
        csv_tables(one_column("a"), tmp_path / "x")
