"""The routes of HMA (Hasher-Matcher-Actioner 2), so that its clients work with an imgmatch index as they are.

Shapes are those of HMA 1.1.7; ``docs/hma.md`` says where this differs.
"""
