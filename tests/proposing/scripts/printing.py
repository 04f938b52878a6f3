# In the shape of a first script: what it finds out is printed, for whoever looks.
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--epochs", type=int, default=5)
args = parser.parse_args()

for epoch in range(args.epochs):
    for batch in range(2):
        print("Train Epoch: {} [{}/2]\tLoss: {:.3f}".format(epoch, batch, args.lr))
    correct = 70 + epoch
    print(f"\nTest set: Average loss: {args.lr / (epoch + 1):.4f}, Accuracy: {correct}/100\n")
print("took", 3, "seconds")
