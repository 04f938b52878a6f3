"""The program inside the job of one attempt, after the bootstrap.

/opt/ml/input/data/experiment/experiment.yaml     the experiment, as a job sees it
/opt/ml/input/data/order/order.json               the attempt
/opt/ml/hpo/experiment/                           the trial's files
/opt/ml/output/failure                            why it failed

The job ends when the attempt has ended and all of it is on S3.
"""

import json
import logging
import os
import signal
import sys
from pathlib import Path

from hpo.backends.jobs.job_slot import JobSlot
from hpo.backends.jobs.object_names import ObjectNames
from hpo.config.reading import read_config
from hpo.errors import HPOError, print_error
from hpo.sagemaker.bootstrap import ML, WORK, write_failure
from hpo.sagemaker.client import client
from hpo.sagemaker.s3_place import S3Place


def main(given: Path = ML / "input" / "data", work: Path = WORK) -> int:
    """Run the job's attempt. Returns the exit code: 0 if the attempt ended well, or was asked to end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    order = json.loads((given / "order" / "order.json").read_text())
    try:
        config = read_config(given / "experiment" / "experiment.yaml")
        place = S3Place(client("s3", order["region"], None), order["bucket"], order["encryption"])
        with JobSlot(config, place, ObjectNames(order["root"]), work) as slot:
            signal.signal(signal.SIGTERM, slot.stop)
            end = slot.run(order)
    except HPOError as error:
        print_error(error)
        write_failure(str(error))
        return 1
    if end.exit_code == 0 or end.lost or end.signal == signal.SIGTERM:
        return 0
    write_failure(f"trial {end.trial_id}: {(end.error or 'no message').splitlines()[-1]}")
    return 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # a thread that still uploads an older checkpoint is not waited for
