#!/usr/bin/env python3
"""Writes hearth_client/schema.py from ../hearth.proto. `--check` compares instead of writing.

It reads the part of the proto3 language that hearth.proto uses: enums, flat messages, maps, repeated fields.
"""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ENUM_VALUE = re.compile(r"(\w+) = (\d+);")
FIELD = re.compile(r"(repeated )?(map<(\w+), (\w+)>|\w+) (\w+) = (\d+);")


def parse(text):
    text = re.sub(r"//[^\n]*", "", text)
    enums, messages = {}, {}
    for kind, name, body in re.findall(r"^(enum|message) (\w+) \{(.*?)\}", text, re.S | re.M):
        if kind == "enum":
            prefix = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper() + "_"
            enums[name] = {v.removeprefix(prefix): int(n) for v, n in ENUM_VALUE.findall(body)}
        else:
            messages[name] = [
                (field, int(number), "map" if key else type_, bool(repeated), (key, value) if key else None)
                for repeated, type_, key, value, field, number in FIELD.findall(body)
            ]
    return enums, messages


def render(enums, messages):
    lines = [
        '"""The enums and messages of hearth.proto. Written by generate_schema.py: do not edit."""', "",
        "# name -> {value name without the prefix: number}", "ENUMS = {",
    ]
    for name, values in enums.items():
        lines.append(f"    {name!r}: {{")
        lines += [f"        {value!r}: {number}," for value, number in values.items()]
        lines.append("    },")
    lines += ["}", "", "# name -> [(field, number, type, repeated, (key type, value type) of a map)]", "MESSAGES = {"]
    for name, fields in messages.items():
        if not fields:
            lines.append(f"    {name!r}: [],")
            continue
        lines.append(f"    {name!r}: [")
        lines += [f"        {field!r}," for field in fields]
        lines.append("    ],")
    return "\n".join(lines + ["}", ""])


def main():
    text = render(*parse((HERE.parent / "hearth.proto").read_text()))
    path = HERE / "hearth_client" / "schema.py"
    if "--check" in sys.argv:
        if not path.exists() or path.read_text() != text:
            print("schema.py is not what generate_schema.py writes; run it again", file=sys.stderr)
            return 1
        return 0
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
