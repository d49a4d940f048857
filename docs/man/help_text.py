"""What a program's --help says, taken apart. CLI11 prints the same things somewhat differently from version to version."""

import os
import re
import subprocess
from dataclasses import dataclass, field


@dataclass
class Entry:
    """An option, an argument or a command."""

    names: list
    value: str = ""  # what an option's value is called; empty for a flag
    default: str = ""
    excludes: list = field(default_factory=list)
    text: str = ""


@dataclass
class Help:
    summary: str = ""
    usage: str = ""
    arguments: list = field(default_factory=list)
    options: list = field(default_factory=list)
    commands: list = field(default_factory=list)
    footer: list = field(default_factory=list)  # lines

    @property
    def exit_statuses(self):
        """[(number, meaning)]"""
        return [tuple(part.split(" ", 1)) for line in self.footer if (found := re.match(r"Exit status: (.*)\.$", line))
                for part in re.split(r", (?=\d)", found[1])]

    @property
    def variables(self):
        """[(name, meaning)]"""
        return [(found[1], found[2]) for line in self.footer if (found := re.match(r"Environment: (\w+), (.*)", line))]

    @property
    def remarks(self):
        return [line for line in self.footer if not re.match(r"(Exit status|Environment):", line)]


sections = {"positionals": "arguments", "options": "options", "subcommands": "commands"}


def parse_entry(head):
    """From what stands left of the description, such as "--timeout S=30" or "-h,--help"."""
    names, _, rest = head.partition(" ")
    if "=" in names and not names.startswith("-"):  # an argument without a type, "FILE=/etc/x"
        names, default = names.split("=", 1)
        return Entry([names], default=default)
    entry = Entry(names.split(","))
    if found := re.search(r"Excludes: ?(.*)$", rest):
        entry.excludes = found[1].split()
        rest = rest[:found.start()]
    if found := re.search(r"\[(.*)\]", rest):
        entry.default = found[1]
        rest = rest[:found.start()]
    rest = re.sub(r"\bREQUIRED\b|\.\.\.", "", rest).strip()
    if "=" in rest:
        rest, entry.default = rest.split("=", 1)
    entry.value = rest.strip()
    return entry


def parse(text):
    found, section = Help(), None
    for line in text.splitlines():
        line = line.rstrip()
        heading = re.fullmatch(r"([A-Za-z]+): *", line)
        if heading and heading[1].lower() in sections:
            section = getattr(found, sections[heading[1].lower()])
        elif line.startswith("Usage:"):
            found.usage = line.removeprefix("Usage:").strip()
        elif section is not None and (described := re.match(r" {2,4}(\S.*?)(?: {2,}(\S.*))?$", line)):
            section.append(parse_entry(described[1]))
            section[-1].text = described[2] or ""
        elif section is not None and line.startswith(" " * 5):
            section[-1].text = f"{section[-1].text} {line.strip()}".strip()
        elif line and not found.usage:
            found.summary = f"{found.summary} {line.strip()}".strip()
        elif line:
            section = None
            found.footer.append(line.strip())
    assert found.summary and found.usage and found.options, f"this is no help:\n{text}"
    for entry in found.arguments + found.options + found.commands:
        assert entry.text, f"nothing is said of {entry.names}"
    return found


def ask(program, *command):
    result = subprocess.run([program, *command, "--help"], capture_output=True, text=True, check=True,
                            env={**os.environ, "LC_ALL": "C"})
    return parse(result.stdout)


def ask_all(program):
    """The program's help and, by name, that of its commands."""
    whole = ask(program)
    return whole, {command.names[0]: ask(program, command.names[0]) for command in whole.commands}
