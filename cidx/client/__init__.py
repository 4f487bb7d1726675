"""The light side: runs on every call and imports almost nothing; address.py is the only place that computes root, id and socket."""
