"""A SageMaker on loopback that really runs training jobs. It is our reading of the service, made from botocore's model
and AWS's documentation; nothing here was compared with the real one.

    python -m tests.support.fake_sagemaker        prints its address, serves until its standard input is closed

moto serves S3, CloudWatch Logs, IAM and STS. Ours are Create-, Describe-, List- and StopTrainingJob:

- requests are checked against botocore's model of them (lengths, numbers, patterns, enumerations): ValidationException;
- names are taken once (ResourceInUse); a quota (ResourceLimitExceeded; `limit`: every n-th time without one), throttling
  (ThrottlingException) and answers that are lost after the deed (HTTP 500) can be set;
- S3 can be made to refuse, to fail, and to answer late, request by request; what could not be uploaded is tried again
  with the next round, and what cannot be uploaded in the end is not there;
- an instance of a job is a process in a mount and pid namespace of its own that sees the container's /opt/ml: channels and
  checkpoints downloaded from S3, the JSON files under input/config, a clean environment, entry point and arguments as given;
- several instances of a job know each other by name, each at an address of its own on loopback, and share no directory; the
  job ends when all have, and where one fails the others are killed;
- what it prints goes to CloudWatch Logs and through the metrics' regexes into FinalMetricDataList;
- /opt/ml/checkpoints is uploaded while it runs, file by file; what is deleted there stays on S3;
- stopping and running too long are SIGTERM, then SIGKILL; the exit code decides between Completed and Failed, and
  /opt/ml/output/failure becomes the FailureReason;
- a spot interruption (asked for by the tests) is SIGTERM, SIGKILL, and another run on an empty machine with what was
  uploaded; a hard one is SIGKILL with nothing uploaded after the last round.

Not faithful: what is in an image (the job gets this Python), GPUs, permissions, start-up times, the regex engine.
Needs the right to make namespaces (`can_run` says whether), and Linux.

Control, for tests: POST JSON to /_fake/<command>: `set` {quota, limit, deny (actions), throttle, lose, sync, stop_grace,
idle, keep, image_environment, s3}, `settings`, `interrupt` {job, hard, grace, upload}, `kill` {job} (its container), `calls`
-> counts of API calls and, by whose credentials they have ("x": the tests' user, "job", "service"), of requests to S3, `jobs`
-> all jobs, `machine` {job} -> the folder of its last machine (`keep` leaves it after the end), `reset`. With `idle` jobs run
nothing until they are stopped. `s3` is a list of {match, fault} and, where wanted, {methods, rate, after, seconds}: `match`
is part of a path with its query, `fault` an error's code or "slow", `after` a number of such requests that are spared.
"""

import contextlib
import functools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

ACCOUNT = "123456789012"
REGION = "us-west-2"
REASON_LIMIT = 1024
JOBS_KEY = "job"
"""Of the requests that jobs make."""
ENDED = ("Completed", "Failed", "Stopped")
SETTINGS = {
    "quota": 100, "limit": 0, "deny": [], "throttle": 0.0, "lose": 0.0, "sync": 0.5, "stop_grace": 120.0, "idle": False,
    "keep": False, "image_environment": {}, "s3": [],
}  # fmt: skip
S3_ERRORS = {
    "AccessDenied": (403, "Access Denied"),
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "InternalError": (500, "We encountered an internal error. Please try again."),
}
LOG_GROUP = "/aws/sagemaker/TrainingJobs"

ENTER = """
mkdir -p /opt/ml && mount --bind "$1" /opt/ml || exit 1
if [ -n "$2" ]; then  # one of several: with names for all, and a /tmp of its own, in which what this Python needs is seen
    mount --bind "$2" /etc/hosts || exit 1
    for folder in $3; do mkdir -p "/opt/ml/kept$folder" && mount --bind "$folder" "/opt/ml/kept$folder" || exit 1; done
    mount -t tmpfs tmpfs /tmp || exit 1
    for folder in $3; do mkdir -p "$folder" && mount --move "/opt/ml/kept$folder" "$folder" || exit 1; done
fi
cd / && shift 3 && exec "$@"
"""
ROOT = Path(__file__).parents[2]
OUTSIDE = [Path(sys.prefix)] if not Path(sys.prefix).is_relative_to(ROOT) else []
NEEDED = [str(path) for path in (ROOT, *OUTSIDE) if path.is_relative_to("/tmp")]


def can_run():
    """May this user make the namespaces?"""
    command = ["unshare", "-m", "-p", "-f", "--mount-proc", "sh", "-c", "mkdir -p /opt/ml && mount --bind /tmp /opt/ml"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


# ---------------------------------------------------------------------- checking requests


def violations(shape, value, where):
    """Everything in a request that breaks botocore's model of it; botocore itself checks only types and minima."""
    limits = shape.metadata
    if shape.type_name == "structure":
        for name in shape.required_members:
            if name not in value:
                yield f"{where}.{name}: is required"
        for name, item in value.items():
            if name not in shape.members:
                yield f"{where}.{name}: is unknown"
            else:
                yield from violations(shape.members[name], item, f"{where}.{name}")
        return
    size = value if shape.type_name in ("integer", "long") else len(value) if shape.type_name != "boolean" else None
    if "min" in limits and size is not None and size < limits["min"]:
        yield f"Value {str(value)[:80]!r} at {where!r} failed to satisfy constraint: at least {limits['min']}"
    if "max" in limits and size is not None and size > limits["max"]:
        yield f"Value {str(value)[:80]!r} at {where!r} failed to satisfy constraint: at most {limits['max']}"
    if shape.type_name == "list":
        for index, item in enumerate(value):
            yield from violations(shape.member, item, f"{where}.{index}")
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from violations(shape.key, key, f"{where} (key)")
            yield from violations(shape.value, item, f"{where}.{key}")
    elif shape.type_name == "string":
        if getattr(shape, "enum", None) and value not in shape.enum:
            yield f"Value {value!r} at {where!r} failed to satisfy constraint: Member must satisfy enum value set"
        if "pattern" in limits and not re.fullmatch(python_pattern(limits["pattern"]), value):
            yield f"Value {value[:80]!r} at {where!r} failed to satisfy regular expression pattern: {limits['pattern']}"


def python_pattern(pattern):
    r"""Java's classes in Python's words: letters, separators and numbers."""
    pattern = pattern.replace(r"\p{L}\p{Z}\p{N}_", r"\w \u00a0\u2028").replace(r"\p{Alnum}", "a-zA-Z0-9")
    return re.sub(r"\\p\{\w+\}", r"\\w", pattern)


def request_violations(request):
    """All violations of a CreateTrainingJob request, also those the model does not express."""
    from botocore.session import Session

    model = Session().get_service_model("sagemaker")
    found = list(violations(model.shape_for("CreateTrainingJobRequest"), request, "request"))
    names = [d["Name"] for d in request["AlgorithmSpecification"].get("MetricDefinitions", [])]
    found += [f"metric {name} is defined twice" for name, count in Counter(names).items() if count > 1]
    for definition in request["AlgorithmSpecification"].get("MetricDefinitions", []):
        if re.compile(definition["Regex"]).groups < 1:
            found.append(f"regex of {definition['Name']} has no group")
    keys = [tag["Key"].lower() for tag in request.get("Tags", [])]
    found += [f"tag {key}" for key, count in Counter(keys).items() if count > 1 or key.startswith("aws:")]
    stopping = request.get("StoppingCondition", {})
    if request.get("EnableManagedSpotTraining"):
        if stopping.get("MaxWaitTimeInSeconds", 0) < stopping.get("MaxRuntimeInSeconds", 0):
            found.append("MaxWaitTimeInSeconds must be at least MaxRuntimeInSeconds")
        if request["ResourceConfig"].get("KeepAlivePeriodInSeconds"):
            found.append("warm pools and managed spot training exclude each other")
    elif "MaxWaitTimeInSeconds" in stopping:
        found.append("MaxWaitTimeInSeconds needs managed spot training")
    return found


class Refusal(Exception):
    """An error response."""

    def __init__(self, code, message, status=400):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


# ---------------------------------------------------------------------- the service


@functools.cache
def client_of(service, url, key):
    """A client. Made once: it takes a tenth of a second."""
    import boto3

    return boto3.Session(key, "x", region_name=REGION).client(service, endpoint_url=url)


class Service:
    """All jobs, and the calls of the API."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.settings = dict(SETTINGS)
        self.jobs = {}
        self.calls = Counter()
        self.lock = threading.Lock()
        self.url = ""
        self.random = random.Random(0)
        self.luck = random.Random(0)

    def client(self, name):
        """The client of our own S3 or Logs."""
        with self.lock:  # making clients is not thread-safe
            return client_of(name, self.url, "service")

    def call(self, action, request):
        """One call of the API."""
        self.calls[action] += 1
        if action in self.settings["deny"]:
            raise Refusal("AccessDeniedException", f"User: x is not authorized to perform: sagemaker:{action}")
        if self.luck.random() < self.settings["throttle"]:
            self.calls["throttled"] += 1
            raise Refusal("ThrottlingException", "Rate exceeded")
        answer = getattr(self, action)(request)
        if self.luck.random() < self.settings["lose"]:
            self.calls["lost"] += 1
            raise Refusal("InternalFailure", "the answer was lost on its way", 500)
        return answer

    def CreateTrainingJob(self, request):
        """Check, and start."""
        if found := request_violations(request):
            raise Refusal("ValidationException", f"{len(found)} validation error(s) detected: {'; '.join(found[:3])}")
        kind = request["ResourceConfig"]["InstanceType"]
        with self.lock:
            name = request["TrainingJobName"]
            if name in self.jobs:
                raise Refusal("ResourceInUse", "Training job names must be unique within an AWS account and region")
            used = sum(job.count for job in self.jobs.values() if job.status not in ENDED)
            self.calls["wanted"] += 1
            busy = self.settings["limit"] > 0 and self.calls["wanted"] % self.settings["limit"] == 0
            if used >= self.settings["quota"] or busy:
                self.calls["limited"] += 1
                raise Refusal(
                    "ResourceLimitExceeded",
                    f"The account-level service limit '{kind} for training job usage' is {self.settings['quota']} "
                    f"Instances, with current utilization of {used} Instances and a request delta of 1 Instances. Please "
                    f"use AWS Service Quotas to request an increase for this quota.",
                )
            job = self.jobs[name] = Job(self, request)
        job.thread = threading.Thread(target=job.live, daemon=True)
        job.thread.start()
        return {"TrainingJobArn": job.arn}

    def DescribeTrainingJob(self, request):
        """What the service tells of a job."""
        return self.job(request).describe()

    def StopTrainingJob(self, request):
        """Ask a job to end."""
        job = self.job(request)
        if job.status in ENDED:
            raise Refusal("ValidationException", f"The request was rejected because the job is in status {job.status}.")
        job.stop()
        return {}

    def ListTrainingJobs(self, request):
        """Names and states."""
        part = request.get("NameContains", "")
        return {"TrainingJobSummaries": [job.summary() for name, job in self.jobs.items() if part in name]}

    def s3_fault(self, method, address):
        """The rule that a request to S3 falls under: what is to happen to it."""
        for number, rule in enumerate(self.settings["s3"]):
            if rule["match"] in address and method in rule.get("methods", (method,)):
                self.calls[f"matched {number}"] += 1
                spared = self.calls[f"matched {number}"] <= rule.get("after", 0)
                if not spared and self.luck.random() < rule.get("rate", 1.0):
                    self.calls[rule["fault"]] += 1
                    return rule
        return None

    def job(self, request):
        """The job a request names."""
        if request["TrainingJobName"] not in self.jobs:
            raise Refusal("ValidationException", "Requested resource not found.")
        return self.jobs[request["TrainingJobName"]]

    def reset(self):
        """As at the start: one empty bucket, one role, no jobs."""
        from urllib.request import urlopen

        for job in self.jobs.values():
            job.end("hard")
            job.thread.join()
        self.jobs, self.settings, self.calls = {}, dict(SETTINGS), Counter()
        self.luck = random.Random(0)  # so that a test meets the same refusals whatever ran before
        urlopen(f"{self.url}/moto-api/reset", b"").close()
        self.furnish()

    def furnish(self):
        """What an account needs."""
        self.client("s3").create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
        self.client("iam").create_role(RoleName="hpo", AssumeRolePolicyDocument="{}")

    def control(self, command, request):
        """What only tests may ask for."""
        if command == "set":
            self.settings.update(request)
        elif command == "reset":
            self.reset()
        elif command == "interrupt":
            self.jobs[request.pop("job")].interrupt(**request)
        elif command == "kill":
            self.jobs[request["job"]].signal(signal.SIGKILL)
        elif command == "machine":
            return {"path": str(self.jobs[request["job"]].machine)}
        elif command == "settings":
            return self.settings
        elif command == "calls":
            return dict(self.calls)
        elif command == "jobs":
            return {name: job.status for name, job in self.jobs.items()}
        return {}


class Job:
    """One training job: its machine is a folder, its container a process."""

    def __init__(self, service, request):
        self.service, self.request = service, request
        self.name = request["TrainingJobName"]
        self.count = request["ResourceConfig"]["InstanceCount"]
        self.network = len(service.jobs) % 250 + 1  # of its instances' addresses
        self.arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{self.name}"
        self.status, self.secondary, self.reason = "InProgress", "Starting", ""
        self.created = time.time()
        self.metrics, self.lines, self.runs = {}, {}, 0
        self.restarts = False
        self.thread = None
        self.wanted = None  # why the container is being ended: stop, max-runtime, interrupt, hard
        self.asked = threading.Event()
        self.cut_off = False  # nothing is uploaded any more
        self.process = None  # the container of the first instance
        self.others = []  # those of the others
        self.uploaded = {}
        self.lock = threading.Lock()

    def summary(self):
        return {
            "TrainingJobName": self.name,
            "TrainingJobArn": self.arn,
            "CreationTime": self.created,
            "TrainingJobStatus": self.status,
        }

    def describe(self):
        metrics = [{"MetricName": n, "Value": v, "Timestamp": t} for n, (v, t) in self.metrics.items()]
        kept = {key: value for key, value in self.request.items() if key != "Tags"}
        more = {"FailureReason": self.reason} if self.reason else {}
        return {**kept, **self.summary(), "SecondaryStatus": self.secondary, "FinalMetricDataList": metrics, **more}

    # -------------------------------------------------------------- asked from outside

    def stop(self):
        self.status, self.secondary = "Stopping", "Stopping"
        self.end("stop")

    def interrupt(self, *, hard=False, grace=None, upload=True):
        """Take the machine away: with a warning of `grace` seconds or not, with a last upload or not."""
        self.secondary, self.restarts = "Interrupted", True
        self.end("hard" if hard else "interrupt", grace, upload=upload and not hard)

    def end(self, why, grace=None, *, upload=True):
        """SIGTERM, a while, SIGKILL; or SIGKILL at once."""
        with self.lock:
            self.wanted = self.wanted or why
            self.cut_off = self.cut_off or why == "hard"
            process = self.process
        self.asked.set()
        if process is None:
            return
        if why != "hard":
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self.service.settings["stop_grace"] if grace is None else grace)
                return
            self.cut_off = not upload
        self.signal(signal.SIGKILL)

    def signal(self, number):
        """To the first process of each container, which is the child of unshare; there may be none yet, or any more."""
        with self.lock:
            pids = [] if self.process is None else [process.pid for process in (self.process, *self.others)]
        for pid in pids:
            with contextlib.suppress(OSError):
                for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                    os.kill(int(child), number)

    # -------------------------------------------------------------- its life

    def live(self):
        if self.service.settings["idle"]:
            self.secondary = "Training"
            self.asked.wait()
            self.status = self.secondary = "Stopped"
            return
        try:
            code = self.run()
            while self.restarts:
                self.wanted, self.restarts, self.cut_off = None, False, False
                self.secondary = "Restarting"
                code = self.run()
            self.conclude(code)
        except Exception as error:
            self.reason, self.status, self.secondary = f"InternalServerError: {error!r}", "Failed", "Failed"
            raise

    def conclude(self, code):
        ml = self.machine / "opt" / "ml"
        failure = ml / "output" / "failure"
        if self.wanted is not None:
            self.secondary = "MaxRuntimeExceeded" if self.wanted == "max-runtime" else "Stopped"
            status = "Stopped"
        elif code == 0:
            status = self.secondary = "Completed"
        else:
            said = failure.read_text() if failure.is_file() else f"ExecuteUserScriptError: exit code {code}"
            self.reason = f"AlgorithmError: {said}"[:REASON_LIMIT]
            status = self.secondary = "Failed"
        if not self.service.settings["keep"]:
            shutil.rmtree(self.machine, ignore_errors=True)
        self.write_log()
        self.status = status

    def run(self):
        """One run, from the start of its machines to their end."""
        self.runs += 1
        self.machine = self.service.folder / self.name / str(self.runs)
        self.secondary = "Downloading"
        s3 = self.service.client("s3")
        checkpoints = self.request.get("CheckpointConfig", {}).get("S3Uri")
        folders = [self.furnish(s3, number, checkpoints) for number in range(self.count)]
        self.uploaded = {path: stamp for ml in folders for path, stamp in self.stamps(ml / "checkpoints").items()}
        if self.wanted is None:
            self.secondary = "Training"
        with self.lock:
            if self.wanted is not None:
                return 143
            self.process, *self.others = [self.boot(ml) for ml in folders]
        processes = [self.process, *self.others]
        pumps = [
            threading.Thread(target=self.pump, args=(process, f"algo-{number}"), daemon=True)
            for number, process in enumerate(processes, 1)
        ]
        for thread in [*pumps, *(threading.Thread(target=self.end_together, args=[one]) for one in processes[1:])]:
            thread.start()
        self.attend(s3, folders, checkpoints)
        code = self.process.wait()
        if code != 0:
            self.kill_others()
        codes = [code, *(process.wait() for process in self.others)]
        for pump in pumps:
            pump.join(10)
        self.secondary = self.secondary if self.wanted else "Uploading"
        if checkpoints and not self.cut_off:
            self.sync(s3, folders, checkpoints)
        with self.lock:
            self.process, self.others = None, []
        return next((one for one in codes if one), 0)

    def furnish(self, s3, number, checkpoints):
        """What one instance finds under /opt/ml. Returns where that is here."""
        machine = self.machine if number == 0 else self.machine.with_name(f"{self.runs}.{number + 1}")
        ml = machine / "opt" / "ml"
        for name in ("input/config", "input/data", "checkpoints", "output", "model"):
            (ml / name).mkdir(parents=True)
        for channel in self.request.get("InputDataConfig", []):
            self.download(
                s3, channel["DataSource"]["S3DataSource"]["S3Uri"], ml / "input/data" / channel["ChannelName"]
            )
        if checkpoints:
            self.download(s3, checkpoints, ml / "checkpoints")
        self.write_config(ml, number)
        return ml

    def boot(self, ml):
        """Start the container of an instance."""
        environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            # What a container finds by its metadata endpoint: the credentials of the job's role, and its region.
            "AWS_ENDPOINT_URL": self.service.url,
            "AWS_ACCESS_KEY_ID": JOBS_KEY,
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": REGION,
            "TRAINING_JOB_NAME": self.name,
            "TRAINING_JOB_ARN": self.arn,
            "AWS_REGION": REGION,
            "PIP_NO_INDEX": "1",  # this container's network leads nowhere
            # What is compiled once is kept for all jobs, each of which would compile hpo anew.
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(self.service.folder / "compiled"),
            **self.service.settings["image_environment"],
            **self.request.get("Environment", {}),
        }
        algorithm = self.request["AlgorithmSpecification"]
        command = [*algorithm["ContainerEntrypoint"], *algorithm.get("ContainerArguments", [])]
        enter = ["unshare", "-m", "-p", "-f", "--mount-proc", "--kill-child=SIGKILL", "sh", "-c", ENTER, "sh", str(ml)]
        enter += [str(ml.parents[1] / "hosts"), " ".join(NEEDED)] if self.count > 1 else ["", ""]
        return subprocess.Popen(
            [*enter, *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def end_together(self, other):
        """Where an instance fails, the service ends the job."""
        if other.wait() != 0 and self.process is not None and self.wanted is None:
            self.signal(signal.SIGKILL)

    def kill_others(self):
        for other in self.others:
            other.kill()

    def write_config(self, ml, number):
        config = ml / "input" / "config"
        hosts = [f"algo-{one + 1}" for one in range(self.count)]
        resources = {"current_host": hosts[number], "hosts": hosts, "network_interface_name": "eth0"}
        addresses = "".join(f"127.77.{self.network}.{one + 1} {name}\n" for one, name in enumerate(hosts))
        (ml.parents[1] / "hosts").write_text(Path("/etc/hosts").read_text() + addresses)
        channels = {
            channel["ChannelName"]: {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated"}
            for channel in self.request.get("InputDataConfig", [])
        }
        for name, content in (
            ("hyperparameters", self.request.get("HyperParameters", {})),
            ("resourceconfig", resources),
            ("inputdataconfig", channels),
        ):
            (config / f"{name}.json").write_text(json.dumps(content))

    def attend(self, s3, folders, checkpoints):
        """Upload checkpoints until the container ends, or has run too long."""
        deadline = time.monotonic() + self.request["StoppingCondition"]["MaxRuntimeInSeconds"]
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(self.service.settings["sync"])
                return
            if checkpoints and not self.cut_off:
                self.sync(s3, folders, checkpoints)
            if time.monotonic() > deadline and self.wanted is None:
                threading.Thread(target=self.end, args=("max-runtime",), daemon=True).start()

    def pump(self, process, host):
        lines = self.lines.setdefault(host, [])
        for raw in process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            lines.append((time.time(), line))
            for definition in self.request["AlgorithmSpecification"].get("MetricDefinitions", []):
                if match := re.search(definition["Regex"], line):
                    self.metrics[definition["Name"]] = float(match[1]), time.time()

    def write_log(self):
        logs = self.service.client("logs")
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=LOG_GROUP)
        for host, lines in self.lines.items():
            stream = {"logGroupName": LOG_GROUP, "logStreamName": f"{self.name}/{host}-{int(self.created)}"}
            logs.create_log_stream(**stream)
            events = [{"timestamp": int(t * 1000), "message": line or " "} for t, line in lines]
            for start in range(0, len(events), 1000):
                logs.put_log_events(**stream, logEvents=events[start : start + 1000])

    # -------------------------------------------------------------- S3

    @staticmethod
    def split(uri):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return bucket, key

    def download(self, s3, uri, folder):
        bucket, prefix = self.split(uri)
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                target = folder / item["Key"][len(prefix) :].lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())

    @staticmethod
    def stamps(folder):
        found = {}
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):
                if path.is_file():
                    found[path] = path.stat().st_size, path.stat().st_mtime_ns
        return found

    def sync(self, s3, folders, uri):
        """Upload what is new, in no particular order."""
        for folder in (ml / "checkpoints" for ml in folders):
            self.sync_one(s3, folder, uri)

    def sync_one(self, s3, folder, uri):
        bucket, prefix = self.split(uri)
        now = self.stamps(folder)
        new = [path for path, stamp in now.items() if self.uploaded.get(path) != stamp]
        self.service.random.shuffle(new)
        for path in new:
            if self.cut_off:
                return
            key = prefix.rstrip("/") + "/" + path.relative_to(folder).as_posix()
            try:
                s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
            except FileNotFoundError:
                continue
            except s3.exceptions.ClientError:
                self.service.calls["not uploaded"] += 1  # the next round tries again
                continue
            self.uploaded[path] = now[path]


# ---------------------------------------------------------------------- the server


def application(service):
    """Ours before moto's."""
    from urllib.parse import unquote

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.wrappers import Request, Response

    others = DomainDispatcherApplication(create_backend_app)
    encode = lambda value: value.timestamp() if isinstance(value, datetime) else str(value)  # noqa: E731

    @Request.application
    def ours(request):
        content = json.loads(request.get_data() or b"{}")
        try:
            if request.path.startswith("/_fake/"):
                answer = service.control(request.path.removeprefix("/_fake/"), content)
            else:
                answer = service.call(request.headers["X-Amz-Target"].partition(".")[2], content)
        except Refusal as refusal:
            body = json.dumps({"__type": refusal.code, "message": refusal.message})
            return Response(body, refusal.status, content_type="application/x-amz-json-1.1")
        return Response(json.dumps(answer, default=encode), content_type="application/x-amz-json-1.1")

    def dispatch(environ, start_response):
        own = environ.get("HTTP_X_AMZ_TARGET", "").startswith("SageMaker.")
        if own or environ["PATH_INFO"].startswith("/_fake/"):
            return ours(environ, start_response)
        address = unquote(f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}")
        if whose := re.search(r"Credential=(\w+)/\d+/[^/]+/s3/", environ.get("HTTP_AUTHORIZATION", "")):
            kind = "LIST" if "list-type" in environ["QUERY_STRING"] else environ["REQUEST_METHOD"]
            service.calls[f"s3 {whose[1]} {kind}"] += 1
        rule = service.s3_fault(environ["REQUEST_METHOD"], address)
        if rule is None or rule["fault"] == "slow":
            time.sleep(rule["seconds"] if rule else 0)
            return others(environ, start_response)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))  # or the connection breaks
        status, text = S3_ERRORS[rule["fault"]]
        body = f"<Error><Code>{rule['fault']}</Code><Message>{text}</Message></Error>"
        return Response(body, status, content_type="application/xml")(environ, start_response)

    return dispatch


def main():
    """Serve on a free port until standard input ends."""
    import logging

    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="fake-sagemaker-") as folder:
        service = Service(folder)
        server = make_server("127.0.0.1", 0, application(service), threaded=True)
        service.url = f"http://127.0.0.1:{server.port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        service.furnish()
        sys.stdout.write(f"{service.url} {datetime.now(UTC).isoformat()}\n")
        sys.stdout.flush()
        sys.stdin.read()
        for job in service.jobs.values():
            if job.process is not None:
                job.process.kill()
                job.kill_others()


# ---------------------------------------------------------------------- for tests


def forget_clients():
    """Of this process, whose next ones have the addresses and credentials of that time."""
    from hpo.sagemaker import client

    client.client.cache_clear()
    client._session.cache_clear()
    client._checked.clear()


class Fake:
    """The service in a process of its own, as tests see it."""

    bucket, role = "bucket", f"arn:aws:iam::{ACCOUNT}:role/hpo"

    def __init__(self):
        command = [sys.executable, "-m", "tests.support.fake_sagemaker"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.url = self.process.stdout.readline().split()[0]
        self.environment = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_REGION": REGION,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def control(self, command, **content):
        """See the module's docstring."""
        from urllib.request import Request, urlopen

        request = Request(f"{self.url}/_fake/{command}", json.dumps(content).encode(), method="POST")
        with urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def client(self, name):
        """The client of the service that a user has."""
        return client_of(name, self.url, "x")

    def overrides(self, **keys):
        """The launcher's keys on a command line."""
        keys = {
            "bucket": self.bucket,
            "role": self.role,
            "poll_seconds": 0.3,
            "sync_seconds": 0.5,
            "quota_wait": 1,
            "probe_seconds": 60,  # this may be a busy machine
            **keys,
        }
        return ["launcher=sagemaker", *(f"launcher.{name}={value}" for name, value in keys.items())]

    def jobs(self):
        """States by name."""
        return self.control("jobs")

    def wait(self, seconds=120, count=1):
        """Until `count` jobs are there and all have ended."""
        deadline = time.monotonic() + seconds
        while len(jobs := self.jobs()) < count or any(status not in ENDED for status in jobs.values()):
            assert time.monotonic() < deadline, f"jobs still run: {jobs}"
            time.sleep(0.1)
        return jobs

    def describe(self, name):
        return self.client("sagemaker").describe_training_job(TrainingJobName=name)

    def log(self, name):
        """What a job that has ended printed."""
        logs = self.client("logs")
        streams = logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
        events = [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(
                logGroupName=LOG_GROUP, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]
        return "\n".join(events)

    def objects(self, prefix=""):
        """All objects under a prefix: name -> content."""
        s3 = self.client("s3")
        found = {}
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                with contextlib.suppress(s3.exceptions.NoSuchKey):  # removed since it was listed
                    content = s3.get_object(Bucket=self.bucket, Key=item["Key"])["Body"].read()
                    found[item["Key"][len(prefix) :]] = content
        return found


if __name__ == "__main__":
    main()
