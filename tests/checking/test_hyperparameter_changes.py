"""`hpo check-script` for a method that changes hyperparameters on the way: does the script go on with other values?"""

import re

import pytest

from hpo.checking.check import check_script, script_of
from hpo.checking.findings import Verdict
from hpo.checking.hyperparameter_changes import CHECK
from hpo.config.reading import load_config, resolve
from tests.tuner.test_checkpoint_copies import config_of

pytestmark = pytest.mark.process


@pytest.mark.parametrize(
    ("how", "verdict", "said"),
    [
        ("well", Verdict.OK, "resumes from a copy with another value of x, and uses it"),
        (
            "keeps its x",
            Verdict.FAILED,
            "x=0.0 in place of 0.5, and reports all that it would with the old value; what it loads",
        ),
        (
            "keeps its x and says so",
            Verdict.FAILED,
            "x=0.0 in place of 0.5, and reports x=0.5; what it loads brings the old",
        ),
        (
            "dies with another x",
            Verdict.FAILED,
            r"ended with exit code 1 \(size mismatch\); .*take x out of method.scheduler",
        ),
        ("saves nothing", Verdict.SKIPPED, "it has no checkpoints"),
    ],
)
def test_what_the_script_does_with_another_value_is_found(how, verdict, said):
    findings = check_script(resolve(config_of(how)), ["PBT"], units=4)
    found = next(finding for finding in findings.found if finding.check == CHECK)
    assert found.verdict == verdict, found
    assert re.search(said, found.text), found.text


def test_it_is_checked_where_one_of_the_methods_changes_hyperparameters_on_the_way():
    asha, pbt = (load_config("mlp_digits", name) for name in ("ASHA", "PBT"))
    pbt.method.scheduler["mutable"] = ["learning_rate"]
    config, promoting = script_of([asha, pbt])
    assert config.method.name == "PBT"
    assert promoting == ["ASHA", "PBT"]
