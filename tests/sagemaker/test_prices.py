"""The price list, asked for by boto3 itself of a server that stands for AWS's."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from hpo.config.reading import load_config
from hpo.errors import HPOError
from hpo.launchers.base import Job
from hpo.planning.plan import make_plan
from hpo.planning.prices import ask_aws, read_prices
from tests.support.fake_sagemaker import forget_clients

pytest.importorskip("boto3", reason="boto3 is not installed; pip install -e '.[aws]'")


def product(usage, price, unit="Hrs", term="OnDemand"):
    """An entry of the list, with what is read of it."""
    dimension = {"unit": unit, "pricePerUnit": {"USD": price}}
    return {
        "product": {"attributes": {"usagetype": usage}},
        "terms": {term: {"A.B": {"priceDimensions": {"A.B.C": dimension}}}},
    }


LIST = {
    "ml.g4dn.12xlarge": [
        product("USW2-Host:ml.g4dn.12xlarge", "6.5"),
        product("USW2-Train:ml.g4dn.12xlarge", "5.25"),
        product("USW2-Train:ml.g4dn.12xlarge", "1.0", term="Reserved"),
        product("USW2-Train:ml.g4dn.12xlarge.more", "9.0"),
    ],
    "ml.c5.xlarge": [product("Train:ml.c5.xlarge", "0.204"), product("Train:ml.c5.xlarge", "7.0", unit="GB-Mo")],
}


class PriceList:
    """What the server is asked for, and what it answers instead of the list."""

    def __init__(self):
        self.asked = []
        self.refusal = None


@pytest.fixture
def aws(tmp_path, monkeypatch):
    """The service, a page per product; prices are kept below a folder of the test's own."""
    service = PriceList()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.headers["X-Amz-Target"] == "AWSPriceListService.GetProducts"
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            filters = {each["Field"]: each["Value"] for each in request["Filters"]}
            if "NextToken" not in request:
                service.asked.append((request["ServiceCode"], filters["regionCode"], filters["instanceName"]))
            place = int(request.get("NextToken", 0))
            listed = LIST.get(filters["instanceName"], [])
            answer = {"FormatVersion": "aws_v1", "PriceList": [json.dumps(each) for each in listed[place : place + 1]]}
            if place + 1 < len(listed):
                answer["NextToken"] = str(place + 1)
            body = json.dumps(service.refusal or answer).encode()
            self.send_response(400 if service.refusal else 200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    for name, value in {
        "AWS_ENDPOINT_URL_PRICING": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "HPO_CACHE": str(tmp_path / "cache"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    forget_clients()
    yield service
    forget_clients()
    server.shutdown()
    server.server_close()


def test_prices_are_those_of_training_on_demand_by_the_hour_from_all_pages(aws):
    prices = ask_aws(["ml.g4dn.12xlarge", "ml.c5.xlarge", "ml.unknown"], "us-west-2", None)
    assert prices.prices == {"ml.g4dn.12xlarge": 5.25, "ml.c5.xlarge": 0.204}
    assert (prices.region, prices.currency) == ("us-west-2", "USD")
    assert {place[:2] for place in aws.asked} == {("AmazonSageMaker", "us-west-2")}


def test_they_are_kept_with_their_date_as_a_file_that_can_be_given_and_asked_for_again_when_it_is_old(aws, tmp_path):
    first = ask_aws(["ml.c5.xlarge"], "us-west-2", None)
    path = tmp_path / "cache" / "prices" / "aws-us-west-2.yaml"
    assert read_prices(path) == first
    assert str(path) in first.source
    assert ask_aws(["ml.c5.xlarge"], "us-west-2", None) == first
    assert len(aws.asked) == 1
    assert ask_aws(["ml.g4dn.12xlarge"], "us-west-2", None).prices == {"ml.c5.xlarge": 0.204, "ml.g4dn.12xlarge": 5.25}
    assert len(aws.asked) == 3, "one that is missing is asked for, and those that are there with it"
    week = 7 * 86400 + 60
    os.utime(path, (path.stat().st_mtime - week, path.stat().st_mtime - week))
    ask_aws(["ml.c5.xlarge"], "us-west-2", None)
    assert len(aws.asked) == 5


def test_a_refusal_is_one_sentence_that_names_the_file_of_earlier_prices(aws, tmp_path):
    aws.refusal = {"__type": "AccessDeniedException", "Message": "no pricing:GetProducts"}
    with pytest.raises(HPOError, match=r"--prices aws: access denied \(no pricing:GetProducts\)"):
        ask_aws(["ml.c5.xlarge"], "us-west-2", None)
    aws.refusal = None
    kept = ask_aws(["ml.c5.xlarge"], "us-west-2", None)
    path = tmp_path / "cache" / "prices" / "aws-us-west-2.yaml"
    os.utime(path, (0, 0))
    aws.refusal = {"__type": "AccessDeniedException", "Message": "no"}
    with pytest.raises(HPOError, match=f"--prices {path} takes those of {kept.date}"):
        ask_aws(["ml.c5.xlarge"], "us-west-2", None)


def test_a_plan_asks_for_the_instances_of_its_jobs_and_for_nothing_where_it_has_none(aws, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def planned(**more):
        config = load_config("resnet_cifar10", "RS", seed=0, experiment_tag="t", random_seed=1, **more)
        made = make_plan([Job(config, tmp_path / "outputs" / config.place, tmp_path / "outputs")])
        made.ask_for_prices()
        return made

    assert planned(launcher={"_target_": "hpo.launchers.local.LocalLauncher"}, num_gpus_per_trial=0).prices is None
    assert aws.asked == []
    launcher = {"_target_": "hpo.sagemaker.SageMakerLauncher", "region": "us-west-2", "dry_run": True}
    remote = planned(launcher=launcher)
    assert aws.asked == [("AmazonSageMaker", "us-west-2", "ml.g4dn.12xlarge")]
    assert remote.cost == pytest.approx(3 * 5.25)  # 10,800 s of one job
