"""Tables in the documentation that the tests generate, so that they cannot be wrong for long.

A module ``*_table.py`` next to this one registers a function that returns Markdown:

    @table("engines", "README.md")
    def engines() -> str: ...

In the file, the table is between two comments, ``<!-- begin engines -->`` and
``<!-- end engines -->`` (the first may end with a note). The test fails where the two differ;
``NNEFKIT_WRITE_TABLES=1 pytest tests/documentation`` rewrites them.
"""
