"""Where an experiment comes from: everything that is needed to run it again."""

from toolkit.report.page.blocks import Block, Code, Facts, Folded, Prose, Section, TableBlock
from toolkit.report.page.values import PageValues


def origin(values: PageValues) -> Section | None:
    """The section; nothing if the configuration cannot be read."""
    found = values.origin
    if found is None:
        return None
    blocks: list[Block | Folded] = [Code("To run it again, in this order", "\n".join(found.commands))]
    if found.changed:
        extends = f"In what it extends ({', '.join(found.parents)})" if found.parents else ""
        columns = ("key", "value", *([extends] if extends else []), "default")
        rows = [(key, value, *([parent] if extends else []), default) for key, value, parent, default in found.changed]
        changed = frozenset(
            number for number, (_, value, parent, _) in enumerate(found.changed) if extends and value != parent
        )
        note = "Emphasised: what differs from what it extends." if changed else ""
        blocks.append(TableBlock("What differs from the defaults", columns, rows, note, changed))
    if found.settings:
        blocks.append(Prose("Set on the command line: " + ", ".join(f"{k}={v}" for k, v in found.settings.items())))
    facts = [
        ("commit of the working folder", found.commit or "not known: the working folder is in no repository"),
        ("precision", found.precision),
        *((f"version of {name}", text) for name, text in found.versions.items()),
        ("page written by", found.toolkit),
    ]
    blocks.append(Facts("Versions", facts))
    blocks.append(Folded("Digests of data, folds, code and weights", [Facts("", list(found.digests.items()))]))
    blocks.append(Folded("The whole configuration as it was run", [Code("", found.written)]))
    return Section("origin", "Where it comes from", blocks)
