"""`facecodec completion`: a script that has a shell complete commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_FACECODEC_COMPLETE"  # by which the script asks for what it completes


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print a script that completes commands, paths and model names.

    \b
    eval "$(facecodec completion bash)"         in ~/.bashrc
    eval "$(facecodec completion zsh)"          in ~/.zshrc
    facecodec completion fish > ~/.config/fish/completions/facecodec.fish
    """
    made = get_completion_class(shell)
    assert made is not None  # click has all three
    root = context.find_root().command
    click.echo(made(root, {}, "facecodec", VARIABLE).source())
