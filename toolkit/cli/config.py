"""Commands that show configurations."""

import typer

from toolkit import console
from toolkit.cli.options import AsJson, Name, Overrides, guarded

app = typer.Typer(help="Show configurations and their schema.", no_args_is_help=True)


@app.command("show")
def config_show(experiment: Name, overrides: Overrides = [], as_json: AsJson = False) -> None:  # noqa: B006 # as above
    """Print the configuration with inheritance, overrides and defaults applied."""
    from toolkit.commands.config import show_config
    from toolkit.config.yaml.yaml_files import write_yaml

    guarded(
        lambda session: show_config(session, experiment, overrides=overrides),
        console.show_json if as_json else lambda tree: console.show_text(write_yaml(tree)),
    )


@app.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of config.yaml, for editors."""
    from toolkit.commands.config import config_schema as command

    console.show_json(command())
