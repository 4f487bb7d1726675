"""Values both sides speak: query, hit, answer, status, error and their JSON. No I/O, no other room."""
