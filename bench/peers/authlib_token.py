"""Python's authlib in one process: a cached token, looked at for its expiry, over and over. One thread."""

import argparse
import json
import time

from authlib.integrations.httpx_client import OAuth2Client

batch = 16


def distribution(samples, call):
    """As distribution_json in latencies.hpp."""
    latencies, empty = [], []
    for _ in range(samples):
        begun = time.perf_counter_ns()
        call()
        latencies.append(time.perf_counter_ns() - begun)
        begun = time.perf_counter_ns()
        empty.append(time.perf_counter_ns() - begun)
    latencies.sort()
    empty.sort()
    parts = [1 - 10 ** (-step / 10) for step in range(51)]
    parts = [part for part in parts if samples * (1 - part) >= 1] + [1]
    return [[part, max(0, latencies[int((samples - 1) * part)] - empty[samples // 2])] for part in parts] if samples else []


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--samples", type=int, default=0)
    options = parser.parse_args()
    client = OAuth2Client("x", "a secret of the benchmark", token_endpoint=options.url, grant_type="client_credentials")
    client.fetch_token(options.url, grant_type="client_credentials")

    def call():
        client.ensure_active_token(client.token)
        return client.token["access_token"]

    calls = 0
    cpu, begun = time.process_time(), time.perf_counter()
    while time.perf_counter() - begun < options.seconds:
        for _ in range(batch):
            call()
        calls += batch
    seconds = time.perf_counter() - begun
    print(json.dumps({"calls": calls, "seconds": seconds, "cpu_seconds": time.process_time() - cpu,
                      "distribution": distribution(options.samples, call)}))


main()
