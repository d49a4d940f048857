#!/usr/bin/env python3
"""Makes the completion of a program for bash: bash_completion.py TEMPLATE OUTPUT PROGRAM. What there is to complete is asked of
the program, by --help."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "docs/man")]

import help_text  # noqa: E402

# What is completed where --help shows one of these: as the value of an option, and as an argument.
values = {"FILE": "files", "PATH": "files", "DATA|@FILE|@-": "data", "METHOD": "methods"}
arguments = {"FILE": "files", "CLIENT": "clients", "API": "apis"}


def branches(name, text):
    """What the table says of a command; "" is the program without one."""
    yield f"options {name}", [option for entry in text.options for option in entry.names]
    yield f"arguments {name}", [arguments.get(entry.names[0], "nothing") for entry in text.arguments]
    for entry in text.options:
        for option in entry.names if entry.value else []:
            yield f"value {name} {option}", [values.get(entry.value, "nothing")]


def main(template, output, program):
    whole, each = help_text.ask_all(program)
    table = [("commands", list(each))]
    for name, text in {"": whole, **each}.items():
        table += branches(name, text)
    cases = "\n".join(f"    '{key}') printf '%s\\n' '{' '.join(words)}' ;;" for key, words in table if words)
    text = Path(template).read_text().replace("@TABLE@", cases).replace("@PROGRAM@", Path(program).name)
    Path(output).write_text(text)


main(*sys.argv[1:])
