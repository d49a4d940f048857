"""The fully commented configuration, taken apart: what it explains is the reference of the configuration. A unit test holds it
against the schema."""

import re
from dataclasses import dataclass, field


@dataclass
class Key:
    name: str
    value: str
    counts: bool  # rather than stands there as a comment


@dataclass
class Group:
    """Keys that one comment explains."""

    text: str
    keys: list = field(default_factory=list)


@dataclass
class Table:
    header: str
    text: str
    counts: bool
    groups: list = field(default_factory=list)

    @property
    def kind(self):
        return re.match(r"\w+", self.header)[0]


header_line = re.compile(r"(#?)\[([\w.\"-]+)\]")
key_line = re.compile(r"(#?)(\w+) = (.+)")


def parse(text):
    """(the paragraphs at the head of the file, the tables)"""
    head, tables, comment = [], [], []
    for line in text.splitlines():
        if line == "#":  # between two paragraphs
            head.append(" ".join(comment))
            comment = []
        elif line.startswith("# "):
            comment.append(line[2:])
        elif not line:
            if comment:
                assert not tables, f"a comment that nothing follows: {comment}"
                head.append(" ".join(comment))
            comment = []
            if tables and tables[-1].groups:
                tables[-1].groups.append(Group(""))
        elif found := header_line.fullmatch(line):
            tables.append(Table(found[2], " ".join(comment), not found[1], [Group("")]))
            comment = []
        else:
            found = key_line.fullmatch(line)
            assert found and tables, f"neither comment nor key: {line}"
            if comment:
                tables[-1].groups.append(Group(" ".join(comment)))
                comment = []
            tables[-1].groups[-1].keys.append(Key(found[2], found[3], not found[1]))
    for table in tables:
        table.groups = [group for group in table.groups if group.keys]
    return head, tables
