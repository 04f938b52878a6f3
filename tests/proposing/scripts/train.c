/* In the shape of a C program with getopt_long. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  double lr = 0.1;
  int epochs = 9, hidden = 16, option;
  static struct option options[] = {{"lr", required_argument, 0, 'l'},
                                    {"hidden-units", required_argument, 0, 'u'},
                                    {"epochs", required_argument, 0, 'e'},
                                    {"help", no_argument, 0, 'h'},
                                    {0, 0, 0, 0}};
  while ((option = getopt_long(argc, argv, "l:u:e:h", options, 0)) != -1) {
    if (option == 'l') lr = atof(optarg);
    else if (option == 'u') hidden = atoi(optarg);
    else if (option == 'e') epochs = atoi(optarg);
    else {
      printf("Usage: train [OPTION]...\n\n"
             "  -l, --lr=RATE            learning rate (default: 0.1)\n"
             "  -u, --hidden-units=N     units of the hidden layer (default: 16)\n"
             "  -e, --epochs=N           passes over the data (default: 9)\n"
             "  -h, --help               print this\n");
      return option != 'h';
    }
  }
  for (int epoch = 1; epoch <= epochs; epoch++) {
    FILE *file = fopen(getenv("HPO_REPORT_FILE"), "a");
    fprintf(file, "{\"epoch\": %d, \"loss\": %g}\n", epoch, (lr - 0.3) * (lr - 0.3) + 1.0 / (epoch + hidden));
    fclose(file);
  }
  return 0;
}
