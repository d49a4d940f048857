"""A process that calls daemons, many of which make a fleet's load: a process each, so that what is measured is the daemons
and not one interpreter's lock. Reads jobs from standard input, a JSON line each:
  {"calls": [{"daemon", "socket", "name", "method", "target", "host", "body"}], "rounds": N}   every call N times, in some order
  {"calls": [...], "pause": seconds}              one after the other, until the next line arrives
SLOT in a target is the number of the second that it is, so that everybody asks for the same new thing at the same time; with
"patient": true a daemon that is not there is tried again. Answers each job by a line: {"answers": [{"name", "daemon", "began",
"took", "status", "version", "token", "code"}]}, the times of CLOCK_MONOTONIC, which all processes have in common."""

import json
import random
import select
import sys
import time

from local_http import BrokenOff, Connection

patience = 30


def send(call):
    target = call["target"].replace("SLOT", str(int(time.monotonic())))
    headers = [("Content-Type", "application/json")] if call["body"] else []
    with Connection(call["socket"], timeout=patience) as connection:
        return connection.request(call["method"], target, headers, call["body"].encode(), call["host"])


def send_patiently(call):
    """A daemon that ends finishes what it has taken: what it has not, it has not begun."""
    while True:
        try:
            return send(call)
        except (FileNotFoundError, ConnectionRefusedError):
            time.sleep(0.01)
        except BrokenOff as broken:
            if broken.received:
                raise
            time.sleep(0.01)


def answer_to(call, patient):
    began = time.monotonic()
    found = {"name": call["name"], "daemon": call["daemon"], "began": began}
    try:
        response = (send_patiently if patient else send)(call)
        found |= {"status": response.status, "code": response.header("Grantd-Error") or response.code}
        if response.status == 200 and not found["code"]:
            document = response.json()
            found |= {"version": document.get("version"), "token": document.get("access_token")}
    except (OSError, BrokenOff) as error:
        found |= {"status": 0, "code": repr(error)}
    return found | {"took": time.monotonic() - began}


def run(job):
    calls, patient = job["calls"], job.get("patient", False)
    answers = []
    if "rounds" in job:
        for _ in range(job["rounds"]):
            random.shuffle(calls)
            answers += [answer_to(call, patient) for call in calls]
    else:
        while not select.select([sys.stdin], [], [], job["pause"] * random.uniform(0.5, 1.5))[0]:
            answers.append(answer_to(random.choice(calls), patient))
        sys.stdin.readline()
    print(json.dumps({"answers": answers}), flush=True)


if __name__ == "__main__":
    while line := sys.stdin.readline():
        run(json.loads(line))
