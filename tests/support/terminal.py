"""What stays on a terminal of a given width, of all that was written to it: as much of one as live views use."""

import re

TOKEN = re.compile(r"\x1b\[(\??\d*(?:;\d+)*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


def lines_on_terminal(written: bytes, width: int) -> list[str]:
    """All lines, also those that have scrolled away."""
    lines: list[str] = [""]
    row = column = 0
    for number, letter, control, text in TOKEN.findall(written.decode()):
        if letter == "A":
            row = max(row - int(number or 1), 0)
        elif letter == "K":
            assert number == "2"
            lines[row] = ""
        elif control == "\r":
            column = 0
        elif control == "\n":
            row += 1
        for character in text:
            if column == width:
                row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
            lines[row] = lines[row][:column].ljust(column) + character + lines[row][column + 1 :]
            column += 1
        lines += [""] * (row + 1 - len(lines))
    return [line.rstrip() for line in lines]
