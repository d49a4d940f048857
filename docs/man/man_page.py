#!/usr/bin/env python3
"""Makes a manual page: man_page.py TEMPLATE OUTPUT VERSION CHANGELOG SOURCE, where SOURCE is the program, whose --help is put
into the template, or the fully commented configuration."""

import email.utils
import re
import sys
import time
from pathlib import Path

import full_configuration
import help_text


def roff(text):
    """Text as it is, whatever is in it."""
    text = text.replace("\\", "\\(rs").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha")
    text = text.replace("~", "\\(ti").replace("`", "\\(ga")
    return re.sub(r"^\.", r"\\&.", text)


def bold(text):
    return f"\\fB{roff(text)}\\fR"


def italic(text):
    return f"\\fI{roff(text)}\\fR"


def prose(text):
    """A paragraph: one sentence a line, a hyphen only where an option or a number begins."""
    lines = re.split(r"(?<=[.:?]) (?=[A-Z\"])", text)
    return "\n".join(re.sub(r"(?<![\w\\])\\-(?=\w)|(\\-)", lambda hit: "-" if hit[1] else "\\-", roff(line)) for line in lines)


def usage(line):
    words = []
    for number, word in enumerate(line.split()):
        if word == "[OPTIONS]":
            words.append(f"[{italic('option')}]...")
        elif word == "SUBCOMMAND":
            words.append(italic("command"))
        elif word.strip("[]").isupper():
            words.append(re.sub(r"\w+", lambda name: italic(name[0]), word))
        else:
            words.append(bold(word))
    return " ".join(words)


def entry(item):
    tag = ", ".join(map(bold, item.names)) if item.names[0].startswith("-") else italic(item.names[0])
    if item.value:
        tag += " " + italic(item.value)
    text = item.text + ("" if item.text.endswith(".") else ".")
    if item.default:
        text += f" Default: {item.default}."
    if item.excludes:
        text += f" Not with {', '.join(item.excludes)}."
    return f".TP\n{tag}\n{prose(text)}"


def described(pairs):
    return "\n".join(f".TP\n{bold(name)}\n{prose(meaning[:1].upper() + meaning[1:].rstrip('.'))}." for name, meaning in pairs)


def commands(whole, each):
    """A section a command, without the options that every command has."""
    common = {name for option in whole.options for name in option.names}
    lines = []
    for name, text in each.items():
        lines += [f".SS {roff(name)}", usage(text.usage), ".PP", prose(text.summary + ".")]
        lines += [entry(item) for item in text.arguments + text.options if not common & set(item.names)]
        lines += [f".PP\n{prose(remark)}" for remark in text.remarks]
    return "\n".join(lines)


def parts_of_program(program):
    whole, each = help_text.ask_all(program)
    return {
        "USAGE": usage(whole.usage),
        "OPTIONS": "\n".join(map(entry, whole.options)),
        "COMMANDS": commands(whole, each),
        "EXIT STATUS": described(whole.exit_statuses),
        "ENVIRONMENT": described(whole.variables),
    }


def group_of_keys(keys, text, table):
    tags = [f"{bold(key.name)} = {italic(key.value)}" + (" (unset)" if table.counts and not key.counts else "") for key in keys]
    return "\n.TQ\n".join([f".TP\n{tags[0]}", *tags[1:]]) + "\n" + prose(text)


# What every table of its kind has to have, so that seeing it again tells nothing.
addresses_and_names = {"client_id", "token_endpoint", "issuer", "client", "base_url"}


def table_of_keys(table, known):
    """The table's keys; of one that shows another way to do the same, those that tell something new."""

    def tells(group, key):
        if (table.kind, key.name) not in known:
            return True
        return key.name not in addresses_and_names and (bool(group.text) or key.value not in known[table.kind, key.name])

    first = not any(kind == table.kind for kind, _ in known)
    groups = [(keys, group.text) for group in table.groups if (keys := [key for key in group.keys if tells(group, key)])]
    lines = []
    if first:
        lines.append(f".SS [{roff(re.sub(r'[.].*', '.NAME', table.header))}]")
    if first or not groups or groups[0][1]:  # else it is the text of the keys
        lines += [".PP"] * (not first) + [prose(table.text)] * bool(table.text)
    lines += [group_of_keys(keys, text or table.text, table) for keys, text in groups]
    for key in (key for group in table.groups for key in group.keys):
        known.setdefault((table.kind, key.name), set()).add(key.value)
    return "\n".join(lines)


def parts_of_configuration(path):
    head, tables = full_configuration.parse(Path(path).read_text())
    known = {}  # (kind of table, key): values seen
    return {"RULES": "\n.PP\n".join(map(prose, head[2:])),
            "TABLES": "\n".join(table_of_keys(table, known) for table in tables)}


def date_of(changelog):
    """The day of the newest release, so that the same sources give the same page."""
    stamp = re.search(r"^ -- .*>  (.*)$", Path(changelog).read_text(), re.M)[1]
    return time.strftime("%Y-%m-%d", email.utils.parsedate(stamp))


def main(template, output, version, changelog, source):
    parts = parts_of_configuration(source) if source.endswith(".toml") else parts_of_program(source)
    parts |= {"DATE": date_of(changelog), "VERSION": version}
    page = re.sub(r"@([A-Z ]+)@", lambda name: parts[name[1]], Path(template).read_text())
    Path(output).write_text(page)


main(*sys.argv[1:])
