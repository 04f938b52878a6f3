"""Reports argv[2] lines of the writer argv[1], long enough that halves would show."""

import sys

from hpo import report

for number in range(int(sys.argv[2])):
    report(writer=sys.argv[1], number=number, text=sys.argv[1] * 5000)
