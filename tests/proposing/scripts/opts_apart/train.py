# The parser lies in a module beside.
from opts import get_parser

import hpo

args = get_parser().parse_args()
for epoch in range(1, args.epochs + 1):
    hpo.report(epoch=epoch, loss=args.lr / epoch)
