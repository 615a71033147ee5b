"""A group of commands that answers a misspelt one with the nearest."""

from typing import Any

from typer.core import TyperGroup

from toolkit.errors import nearest


class Group(TyperGroup):
    """A group whose message about an unknown command names the nearest one; the exit code is 2."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first argument names."""
        word = args[0]
        if word not in self.commands and not word.startswith("-"):
            near = nearest(word, self.commands)
            ctx.fail(f"No such command {word!r}.{'' if near is None else f' Did you mean {near}?'}")
        return super().resolve_command(ctx, args)
