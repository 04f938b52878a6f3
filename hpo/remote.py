"""Entry point of a remote job: `python -m hpo.remote EXPERIMENT.yaml OUTPUT_DIR` runs one resolved experiment.

Nothing is composed here, and Hydra's command line is not involved. The same call after an interruption resumes. Exit
codes are those of a local run: 0 complete, 1 failed, 128 + n interrupted by signal n.
"""

import sys
from pathlib import Path

from hpo.launchers.job_entry import run

if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), Path(sys.argv[2])))
