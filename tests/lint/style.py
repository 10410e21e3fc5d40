#!/usr/bin/env python3
"""Look for banned functions (an error), and for what outgrew the sizes that
read well (a place to look: listed, not an error)."""
import glob
import re
import sys

BANNED = ("strcpy strcat strncpy sprintf strtok atoi gets alloca system popen mktemp localtime "
          "gmtime signal").split()
MAX_FUNCTION, MAX_FILE, MAX_COLUMNS, MAX_PARAMETERS = 60, 500, 100, 6


def strip(text):
    """Blank out comments and strings, keeping the lines."""
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'',
                  lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)


def functions(lines):
    start = None
    for i, line in enumerate(lines):
        if line == "{":
            start = i
        elif line == "}" and start is not None:
            yield start + 1, i - start
            start = None


def main():
    errors, places = [], []
    for path in sorted(glob.glob("lib/*/*.[ch]") + ["goproxy.fcgi.c"]):
        raw = open(path, encoding="utf-8").read()
        code = strip(raw)
        for number, line in enumerate(code.split("\n"), 1):
            for word in re.findall(r"(?<![\w.>])(\w+)\s*\(", line):
                if word in BANNED:
                    errors.append(f"{path}:{number}: {word}() is banned")
        lines = raw.split("\n")
        for number, line in enumerate(lines, 1):
            if len(line.expandtabs(8)) > MAX_COLUMNS + 16:
                places.append(f"{path}:{number}: {len(line.expandtabs(8))} columns")
        if len(lines) > MAX_FILE:
            places.append(f"{path}: {len(lines)} lines")
        for number, length in functions(lines):
            if length > MAX_FUNCTION:
                places.append(f"{path}:{number}: a function of {length} lines")
    for text in places:
        print("look:", text)
    for text in errors:
        print("error:", text)
    print(f"style: {len(errors)} errors, {len(places)} places to look")
    return 1 if errors else 0


sys.exit(main())
