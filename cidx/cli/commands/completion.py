"""`cidx completion`: the script that makes a shell complete cidx."""

import click

from cidx.cli.application import Command
from cidx.cli.session import Session

# The variable through which the shell's script asks for completions (see cidx/__main__.py).
VARIABLE = "_CIDX_COMPLETE"


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_obj
def command(session: Session, shell: str) -> None:
    """Print the completion script of a shell.

    bash: eval "$(cidx completion bash)" in ~/.bashrc; zsh the same in ~/.zshrc; fish: cidx completion fish >
    ~/.config/fish/completions/cidx.fish
    """
    from click import shell_completion

    from cidx.cli.application import application

    cls = shell_completion.get_completion_class(shell)
    assert cls is not None
    session.out.line(cls(application, {}, "cidx", VARIABLE).source())
