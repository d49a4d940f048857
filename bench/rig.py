"""What all rows of tools/bench work with: the CPUs, the programs that make load, the authorization server, and turns taken in
an order that gives nobody an advantage."""

import json
import os
import statistics
import subprocess

import subjects
from report import Report
from token_server import TokenServer


class Rig:
    def __init__(self, options, directory, nginx):
        self.build, self.directory, self.nginx = options.build, directory, nginx
        self.rounds, self.seconds, self.most = options.rounds, options.seconds, options.most
        self.report = Report()
        self.cpus = sorted(os.sched_getaffinity(0))
        if len(self.cpus) < 2:
            print("warning: one CPU only, so the load generator takes time from the servers")
        self.server_cpu, self.own_cpu = self.cpus[0], self.cpus[-1]
        os.sched_setaffinity(0, {self.own_cpu})
        subjects.allow_many_descriptors()
        self.tokens = TokenServer()

    def program(self, name):
        return self.build / "bench" / name

    def generator(self, subject, *arguments, path=subjects.token_path):
        return [self.program("load_generator"), "--socket", subject.socket, "--path", path, *map(str, arguments)]

    def run(self, command, cpus=None):
        """The line of JSON that a program prints. It runs on the CPU for load, or on those given."""
        prepare = (lambda: os.sched_setaffinity(0, cpus)) if cpus else None
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, preexec_fn=prepare, check=True)
        return json.loads(done.stdout)

    def load(self, subject, *arguments, **options):
        """One run of the load generator, and what the server used for it."""
        before = subject.cpu_seconds()
        run = self.run(self.generator(subject, *arguments, **options))
        run["rate"] = run["requests"] / run["seconds"]
        run["cpu_us"] = (subject.cpu_seconds() - before) / run["requests"] * 1e6
        return run

    def grantd(self, **keys):
        keys.setdefault("token_endpoint", self.tokens.url)
        return subjects.grantd(self.directory, self.build, self.server_cpu, **keys)

    def in_turns(self, actions, rounds=None):
        """Does every action once in each round, each round beginning with another one: the results of each, by name."""
        results = {name: [] for name in actions}
        names = list(actions)
        for turn in range(rounds or self.rounds):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                results[name].append(actions[name]())
        return results


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def ratio(ours, theirs, key):
    """The median of the ratios of one round each, so that what the machine did meanwhile cancels out."""
    return statistics.median(mine[key] / other[key] for mine, other in zip(ours, theirs, strict=True))


def middle_distribution(runs):
    """That of the round whose median is the middle one."""
    ordered = sorted((run["distribution"] for run in runs if run["distribution"]), key=lambda one: quantile(one, 0.5))
    return ordered[len(ordered) // 2] if ordered else []


def quantile(distribution, part):
    """In nanoseconds."""
    return next(value for at, value in distribution if at >= part)
