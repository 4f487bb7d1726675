"""Code search that answers in a blink, per repository, kept warm by the system's own supervisor.

with cidx.connect("path/to/repository") as client:
    for hit in client.query("where is the socket handed over").hits:
        print(hit.path, hit.start_line)
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    from cidx.cli.connect import Client


def connect(path: "str | os.PathLike[str]" = ".", *, standalone: bool = False) -> "Client":
    """A client for the repository that a folder belongs to; by its daemon where there is one."""
    from cidx.cli import connect

    return connect.connect(path, standalone=standalone)
