"""Which layers of one model's key-value cache stand for which of another's."""

from __future__ import annotations


def layer_map(source_layers: int, target_layers: int) -> tuple[tuple[int, ...], ...]:
    """The source layers that each target layer takes its keys and values from.

    In order; the first target layer has the first source layer, the last has the last, and every
    source layer is used: with fewer targets than sources a target has a run of several (to be
    averaged, or represented by the last of them), with more, neighbours share one. Taking every
    second layer instead ends at layer 62 of 80 for 32 targets, and leaves out the top 17.

    Keys and values of another model are a guess, whatever the map: judge them by acceptance.

    Raises:
        ValueError: a model without layers.
    """
    if source_layers < 1 or target_layers < 1:
        raise ValueError("both models have one layer at least")
    if target_layers == 1:
        return (tuple(range(source_layers)),)
    if target_layers >= source_layers:
        nearest = (
            _scaled(target, source_layers - 1, target_layers - 1) for target in range(target_layers)
        )
        return tuple((source,) for source in nearest)
    groups: list[list[int]] = [[] for _ in range(target_layers)]
    for source in range(source_layers):
        groups[_scaled(source, target_layers - 1, source_layers - 1)].append(source)
    return tuple(tuple(group) for group in groups)


def _scaled(index: int, last: int, of: int) -> int:
    """`index` of 0 to `of` taken to 0 to `last`, halves up."""
    return (2 * index * last + of) // (2 * of)
