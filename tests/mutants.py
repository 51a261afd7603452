"""JSON that is almost right: one value of it is of another kind, or gone."""

import copy

STRANGE = (None, 0, -1, 1.5, True, "", "x", [], {}, [None], ["x"], [{}], {"type": None}, {"type": []}, {"a": "x"})


def mutant(whole, chance):
    """A copy in which one value, anywhere, is replaced by something strange or left out."""
    whole = copy.deepcopy(whole)
    holder, key = chance.choice(list(_slots(whole)))
    if isinstance(holder, dict) and chance.random() < 0.2:
        del holder[key]
    else:
        holder[key] = copy.deepcopy(chance.choice(STRANGE))
    return whole


def _slots(node):
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield node, key
        yield from _slots(node[key])
