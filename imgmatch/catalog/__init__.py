"""The catalog: everything known, in SQLite; the truth that every engine file is derived from. No SQL elsewhere."""
