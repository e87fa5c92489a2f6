"""Findings as cards, shared by the sections that show them."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis, Finding
from perfkit.report import _words
from perfkit.report._findings import Ranked, is_part, ranked
from perfkit.report._remedies import help_for
from perfkit.report.blocks import Card, Part, Text

LIMIT = 25
_CONFIDENCE = {"certain": "certain", "likely": "likely", "low": "low confidence"}


def card_parts(diagnosis: Diagnosis, rules: frozenset[str], rest: str) -> list[Part]:
    """How the costs are known, the ranked cards of `rules`, and where the others are (`rest`)."""
    every = [item for item in ranked(diagnosis) if item.rule in rules]
    mine = [item for item in every if not is_part(item.finding)]
    parts: list[Part] = []
    ways = dict.fromkeys(item.finding.saving.method for item in mine if item.finding.saving)
    if ways:
        parts.append(Text(f"Costs are {'; or '.join(ways)}."))
    parts += [_card(item, diagnosis) for item in mine[:LIMIT]]
    if len(mine) > LIMIT:
        parts.append(Text(f"{len(mine) - LIMIT} more are {rest}."))
    return [*parts, *_parts_of_others(every)]


def _parts_of_others(items: list[Ranked]) -> list[Part]:
    """A sentence per finding that speaks for some of these lines."""
    owned: dict[str, list[str]] = {}
    for item in items:
        if is_part(item.finding):
            owned.setdefault(str(item.finding.evidence["part_of"]), []).append(item.where)
    return [
        Text(f"Part of {owner}, and counted there: {', '.join(dict.fromkeys(places))}.")
        for owner, places in owned.items()
    ]


def _card(item: Ranked, diagnosis: Diagnosis) -> Card:
    finding = item.finding
    where = f"{item.where} in {item.function}" if item.function else item.where
    return Card(
        anchor=item.anchor,
        rank=item.rank,
        title=finding.title,
        place=where,
        path=str(finding.place) if finding.place else "",
        chips=_chips(finding),
        cost=_cost(finding, diagnosis),
        facts=_facts(finding),
        snippet=item.snippet,
        code=finding.code,
        fix=finding.fix,
        help=help_for(finding, diagnosis),
    )


def _chips(finding: Finding) -> tuple[str, ...]:
    evidence = finding.evidence
    chips = [str(evidence[key]) for key in ("phases", "ops", "kinds") if evidence.get(key)]
    if evidence.get("seen_by"):
        chips.append(f"seen by {evidence['seen_by']}")
    return (*dict.fromkeys(chips), _CONFIDENCE[finding.confidence])


def _cost(finding: Finding, diagnosis: Diagnosis) -> str:
    saving = finding.saving
    if saving is None:
        return ""
    return f"{_words.likely(saving)} per step{_words.on_device(diagnosis)} ({_words.span(saving)})"


def _facts(finding: Finding) -> tuple[tuple[str, str], ...]:
    evidence, facts = finding.evidence, []
    if evidence.get("blocked_ns") is not None:
        facts.append(
            ("Host waited", f"{_words.duration(evidence['blocked_ns'])} per step, measured")
        )
    if evidence.get("idle_ns") is not None and evidence.get("verdict"):
        idle = f"{_words.duration(evidence['idle_ns'])} per step ({evidence['verdict']})"
        facts.append(("Device idle after it", idle))
    if evidence.get("nbytes") is not None:
        facts.append(("Bytes moved", f"{_words.size(evidence['nbytes'])} per step"))
    if evidence.get("ns_per_launch") is not None:
        facts.append(("Time per launch", f"{_words.duration(evidence['ns_per_launch'])} here"))
    for key, label in (
        ("lines", "Lines, per step"),
        ("operators_in_loop", "Operators in the loop"),
        ("most_called", "Most called"),
        ("caller", "Called from"),
        ("inside", "Inside"),
        ("stack", "Reached by"),
    ):
        if evidence.get(key):
            value = evidence[key]
            facts.append((label, value if isinstance(value, str) else _words.per_step(value)))
    if finding.rewrite:
        facts.append(("Ready rewrite", f"perfkit rewrites {finding.rewrite}"))
    return tuple(facts)
