"""An S3 server for the tests: moto's, with signatures checked, and with faults that a test asks for.

Says its address and the two halves of an access key on one line, then answers commands, one a line, in JSON:
  state BUCKET   names of the objects, and how many uploads are unfinished
  fail N         the next N requests are answered 503
  failed         how many were
  audit BUCKET   what manifests name that is not there as they say
  hold           pieces of large files wait from now on
  release        and go on
It ends when its standard input does, so that it never outlives its test.
"""

import hashlib
import json
import logging
import sys
import threading

import boto3
from moto import settings
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import make_server

BUCKET = "training"
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


class Faulty:
    """Stands before the server and makes the faults."""

    def __init__(self, app):
        self.app, self.lock = app, threading.Lock()
        self.n_to_fail = self.n_failed = 0
        self.open = threading.Event()
        self.open.set()

    def __call__(self, environ, start_response):
        with self.lock:
            fails = self.n_to_fail > 0
            self.n_to_fail -= fails
            self.n_failed += fails
        if fails:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response("503 Slow Down", [("Content-Type", "application/xml")])
            return [b"<Error><Code>SlowDown</Code><Message>canary</Message></Error>"]
        if "partNumber=" in environ.get("QUERY_STRING", ""):
            self.open.wait(60)
        return self.app(environ, start_response)


def state(name):
    bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[name]
    return {"objects": sorted(bucket.keys.keys()), "uploads": len(bucket.multiparts)}


def audit(name):
    keys = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[name].keys
    wrong = []
    for path in [path for path in keys.keys() if path.endswith("/manifest.json")]:
        folder = path.removesuffix("manifest.json")
        for file in json.loads(keys[path].value)["files"]:
            found = keys.get(folder + file["path"])
            if found is None or hashlib.sha256(found.value).hexdigest() != file["sha256"]:
                wrong.append(folder + file["path"])
    return {"wrong": wrong}


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    faulty = Faulty(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, faulty, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    anybody = {"endpoint_url": url, "region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
    iam = boto3.client("iam", **anybody)
    iam.create_user(UserName="afterword")
    key = iam.create_access_key(UserName="afterword")["AccessKey"]
    iam.put_user_policy(UserName="afterword", PolicyName="p", PolicyDocument=json.dumps(POLICY))
    boto3.client("s3", **anybody).create_bucket(Bucket=BUCKET)
    # Whoever comes from now on has to sign.
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    print(url, key["AccessKeyId"], key["SecretAccessKey"], flush=True)

    for line in sys.stdin:
        command, *arguments = line.split()
        answer = {}
        if command == "state":
            answer = state(*arguments)
        elif command == "audit":
            answer = audit(*arguments)
        elif command == "fail":
            faulty.n_to_fail = int(arguments[0])
        elif command == "failed":
            answer = {"n": faulty.n_failed}
        elif command == "hold":
            faulty.open.clear()
        elif command == "release":
            faulty.open.set()
        print(json.dumps(answer), flush=True)


main()
