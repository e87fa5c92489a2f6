"""Whatever is replaced is put back."""

from __future__ import annotations

from perfkit.pretend.patching import Patches


class Base:
    inherited = 1


class Owner(Base):
    own = 2


def test_inherited_attributes_are_removed_and_own_ones_restored():
    patches = Patches()
    patches.set(Owner, "inherited", 10)
    patches.set(Owner, "own", 20)
    patches.set_if_there(Owner, "missing", 30)
    assert (Owner.inherited, Owner.own, hasattr(Owner, "missing")) == (10, 20, False)
    patches.undo()
    assert (Owner.inherited, Owner.own) == (1, 2) and "inherited" not in vars(Owner)


def test_undo_goes_backwards():
    done: list[int] = []
    patches = Patches()
    patches.then(lambda: done.append(1))
    patches.then(lambda: done.append(2))
    patches.undo()
    assert done == [2, 1]
