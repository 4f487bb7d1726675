"""The light side: runs on every call, imports almost nothing. Only address.py computes root, id and socket."""
