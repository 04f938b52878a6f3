# A script that takes words, and no options.
import sys

import hpo

lr = float(sys.argv[1])
epochs = int(sys.argv[2])
for epoch in range(1, epochs + 1):
    hpo.report(epoch=epoch, loss=(lr - 0.01) ** 2 + 1 / epoch)
