"""A `Diagnosis`: what was concluded from a run. Reports read this and nothing else.

Its JSON is the machine interface: change it only with a new schema number, and keep old versions
opening (`tests/data/diagnosis_*.json`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from perfkit.base.errors import PerfkitError
from perfkit.model.syncs import Frame
from perfkit.model.table import Cell, Table

SCHEMA = "perfkit.diagnosis/2"
OPENS = ("perfkit.diagnosis/1", SCHEMA)
"""What can be read. Since 2 a finding has a `remedy`; one of 1 is read as having none."""

State = Literal["found", "clear", "not-applicable", "not-observable", "error"]
Confidence = Literal["certain", "likely", "low"]


@dataclass(frozen=True)
class Verdict:
    """Three sentences: what the step costs, why, what to do next."""

    what: str
    why: str
    next: str


@dataclass(frozen=True)
class Saving:
    """An estimated saving per step in ns, always a range, with how it was estimated."""

    low_ns: int
    likely_ns: int
    high_ns: int
    method: str
    per: str = "step"

    def __post_init__(self) -> None:
        if not 0 <= self.low_ns <= self.likely_ns <= self.high_ns:
            raise ValueError(f"a saving must be ordered: {self}")


@dataclass(frozen=True)
class Remedy:
    """The way from a finding to its fix: what to read, what to change, and how to prove it.

    Attributes:
        fixes: codemods that change the line of the finding; empty where none does.
        diff: what they change there, for `patch -p1` in the folder `root`; empty where there is none.
        no_diff: why there is none; empty where there is one, and where no codemod answers such findings.
        safe: whether the text itself proves that the program computes the same.
        check: what to look at before applying it.
        by_hand: what to write where a codemod cannot fill it in.
        apply, verify: commands, in their order, to be given in the folder `folder`.
        wins: when the rewrite wins and when not, with its crossovers.
        not_when: when not to act, from the rule's and the codemods' pages.
        pages: names of pages in the table `pages`.
    """

    fixes: tuple[str, ...] = ()
    diff: str = ""
    root: str = ""
    no_diff: str = ""
    safe: bool = False
    check: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()
    apply: tuple[str, ...] = ()
    verify: tuple[str, ...] = ()
    folder: str = ""
    wins: str = ""
    not_when: str = ""
    pages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One thing worth doing, at one place.

    `rewrite` is the id of the shipped rewrite that fixes it; `fix` is the one-line advice; `remedy`,
    where somebody has looked for it, is how to act on it.
    """

    title: str
    place: Frame | None = None
    code: str = ""
    evidence: Mapping[str, Cell] = field(default_factory=dict)
    saving: Saving | None = None
    fix: str = ""
    rewrite: str | None = None
    confidence: Confidence = "certain"
    remedy: Remedy | None = None


@dataclass(frozen=True)
class Outcome:
    """What one rule concluded. `reason` says why it is silent, abstains or failed."""

    rule: str
    state: State
    reason: str | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Coverage:
    """What the verdict stands on. None means unknown.

    Attributes:
        steps: how many steps were measured, all instruments together.
        device_time_attributed: share of device time with a known launching op.
        ops_with_costs: share of op calls with a known FLOP and byte count.
        overhead: our own cost as ratios to a bare step.
        gaps: everything that is missing, dropped, repaired or not looked at.
        basis: one line for people: which device setting, how many steps of each kind.
    """

    steps: int
    basis: str
    device_time_attributed: float | None = None
    ops_with_costs: float | None = None
    overhead: Mapping[str, float | None] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """The whole conclusion: verdict, coverage, one outcome per rule, named tables, facts of the run."""

    run: str
    verdict: Verdict
    coverage: Coverage
    outcomes: tuple[Outcome, ...] = ()
    tables: Mapping[str, Table] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    schema: str = SCHEMA

    def findings(self) -> list[tuple[str, Finding]]:
        """(rule, finding) pairs ranked by likely saving; those without an estimate last."""
        pairs = [(o.rule, f) for o in self.outcomes for f in o.findings]
        return sorted(pairs, key=lambda p: -(p[1].saving.likely_ns if p[1].saving else -1))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data, schema first."""
        data = asdict(self)
        data["tables"] = {name: table.to_json() for name, table in self.tables.items()}
        return {"schema": data.pop("schema"), **data}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Diagnosis:
        """Read what `to_json` wrote.

        Raises:
            PerfkitError: not a diagnosis, or of a schema this version does not know.
        """
        schema = data.get("schema") if isinstance(data, Mapping) else None
        if schema not in OPENS:
            raise PerfkitError(
                f"this is not a {SCHEMA} document (schema: {schema!r})",
                "write it again with this version: perfkit profile SCRIPT",
            )
        try:
            return _diagnosis(data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PerfkitError(
                f"this {schema} document is damaged: {type(error).__name__}: {error}",
                "write it again: perfkit profile SCRIPT",
            ) from error


def _diagnosis(data: Mapping[str, Any]) -> Diagnosis:
    coverage = dict(data["coverage"])
    coverage["gaps"] = tuple(coverage["gaps"])
    return Diagnosis(
        run=data["run"],
        verdict=Verdict(**data["verdict"]),
        coverage=Coverage(**coverage),
        outcomes=tuple(_outcome(item) for item in data["outcomes"]),
        tables={name: Table.from_json(table) for name, table in data["tables"].items()},
        facts=dict(data.get("facts", {})),
    )


def _outcome(data: Mapping[str, Any]) -> Outcome:
    findings = tuple(_finding(item) for item in data["findings"])
    return Outcome(data["rule"], data["state"], data["reason"], findings)


def _finding(data: Mapping[str, Any]) -> Finding:
    place = Frame(**data["place"]) if data["place"] else None
    saving = Saving(**data["saving"]) if data["saving"] else None
    remedy = _remedy(data["remedy"]) if data.get("remedy") else None
    return Finding(**{**data, "place": place, "saving": saving, "remedy": remedy})


def _remedy(data: Mapping[str, Any]) -> Remedy:
    lists = ("fixes", "check", "by_hand", "apply", "verify", "pages")
    return Remedy(**{**data, **{name: tuple(map(str, data[name])) for name in lists}})
