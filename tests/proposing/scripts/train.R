# In the shape of an R script with optparse.
suppressPackageStartupMessages(library(optparse))
option_list <- list(
  make_option(c("-l", "--lr"), type = "double", default = 0.01, help = "learning rate [default %default]"),
  make_option("--hidden", type = "integer", default = 32, help = "hidden units [default %default]"),
  make_option(c("-e", "--epochs"), type = "integer", default = 9, help = "epochs [default %default]"),
  make_option("--quiet", action = "store_true", default = FALSE, help = "say less")
)
opt <- parse_args(OptionParser(option_list = option_list))
for (epoch in seq_len(opt$epochs)) {
  line <- sprintf('{"epoch": %d, "rmse": %f}\n', epoch, (opt$lr - 0.1)^2 + 1 / epoch)
  cat(line, file = Sys.getenv("HPO_REPORT_FILE"), append = TRUE)
}
