"""What operators are told and given, held against a running daemon and the tools they use: metrics, alert rules,
dashboard, error codes, commands, and what systemd still counts as exposure."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from authorization_server import answer, close, hang, oauth_error, token
from grantd import api, check, client, control_program, daemon_program, new_secret, until
from shared_cache import new_key

root = Path(__file__).parents[2]
guide = (root / "docs/operations.md").read_text()
threat_model = (root / "docs/threat-model.md").read_text()
prometheus = root / "docs/prometheus"
alerts = (prometheus / "alerts.yml").read_text()
alert_tests = (prometheus / "alerts_test.yml").read_text()
dashboard = json.loads((prometheus / "dashboard.json").read_text())
of_the_scrape = {"job", "instance"}


def rows_below(text, heading):
    """The cells of the last table in the section: a list for each row but the header's two."""
    section = re.search(rf"^## {heading}$(.*?)(?=^## |\Z)", text, re.M | re.S)[1]
    table = re.findall(r"(?:^\|.*\|\n)+", section, re.M)[-1].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]


def quoted(cell):
    return re.findall(r"`([^`]+)`", cell)


# What is exported.


@pytest.fixture
def exported(start_daemon, directory, authorization_server, api_server):
    """{metric: (kind, {label: values})} of a daemon to which everything happened that it counts."""
    outcomes = {"ok": token(), "refused": oauth_error("invalid_scope"), "missing": answer(404), "closed": close(),
                "odd": answer(200, body="[]"), "silent": hang()}
    key_file = directory / "cache-keys"
    key_file.write_text(new_key() + "\n")
    daemon = start_daemon({"clients": {name: client(authorization_server, request_timeout="2s") for name in outcomes},
                           "apis": {"x": api(api_server, "ok")},
                           "cache": {"shared": "redis+unix:///nonexistent", "key_file": key_file}})
    for name, given in outcomes.items():
        authorization_server.otherwise = given
        daemon.get_token(name)
    authorization_server.otherwise = token()
    api_server.refused.add(daemon.get_token("ok").token)
    assert daemon.call("x", "/").status == 200
    return samples_of(daemon.get("/metrics").body.decode())


def samples_of(text):
    found = {name: (kind, {}) for name, kind in re.findall(r"^# TYPE (\S+) (\w+)$", text, re.M)}
    for name, labels in re.findall(r"^([a-z_]+)(?:\{(.*)\})? \S+$", text, re.M):
        base = name if name in found else re.sub(r"_(bucket|sum|count)$", "", name)
        for label, value in re.findall(r'(\w+)="([^"]*)"', labels):
            if label != "le":
                found[base][1].setdefault(label, set()).add(value)
    return found


def listed():
    """The same as the guide has it, with the values it names."""
    metrics = {}
    for name, kind, meaning in rows_below(guide, "Monitoring"):
        base, labels = re.fullmatch(r"`(\w+)(?:\{([\w,]+)\})?`", name).groups()
        metrics[base] = (kind, {label: set() for label in (labels or "").split(",") if label})
        if explained := re.search(r"`(\w+)` is (`.*)", meaning):
            metrics[base][1][explained[1]] = set(quoted(explained[2]))
    return metrics


def test_the_guide_lists_exactly_the_exported_metrics(exported):
    names = re.findall(r'= "(\w+)";', (root / "daemon/metrics/names.hpp").read_text())
    assert sorted(names) == sorted(exported) == sorted(listed())
    for name, (kind, labels) in listed().items():
        assert (kind, set(labels)) == (exported[name][0], set(exported[name][1])), name


def test_the_guide_names_every_result_source_and_event(exported):
    for metric, label in (("grantd_token_requests_total", "result"), ("grantd_tokens_served_total", "source"),
                          ("grantd_audit_events_total", "event"), ("grantd_reloads_total", "result"),
                          ("grantd_pages_withheld_total", "reason"),
                          ("grantd_shared_cache_lookups_total", "result"), ("grantd_shared_cache_operations_total", "result"),
                          ("grantd_shared_cache_refused_entries_total", "reason")):
        assert listed()[metric][1][label] == exported[metric][1][label], metric


# What is asked of it.


def expressions():
    """{where: expression} of all alerts and of all panels and variables of the dashboard."""
    found = {}
    for name, rule in re.findall(r"^      - alert: (\w+)\n(.*?)(?=^      - alert|\Z)", alerts, re.M | re.S):
        found[f"alert {name}"] = re.search(r"expr: (?:\|\n)?(.*?)^        (?:for|labels):", rule, re.M | re.S)[1]
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            found[f"panel {panel['title']} {target['refId']}"] = target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            found[f"variable {variable['name']}"] = variable["definition"]
    return found


def faults(expression, metrics):
    """What the expression asks for that no daemon exports."""
    asked = set()
    for name, selectors in re.findall(r"\b((?:grantd|process)_\w+)(?:\{(.*?)\})?", expression):
        base = name if name in metrics else re.sub(r"_(bucket|sum|count)$", "", name)
        if base not in metrics or (base != name and metrics[base][0] != "histogram"):
            yield f"metric {name}"
            continue
        labels = metrics[base][1]
        asked |= set(labels) | ({"le"} if name.endswith("_bucket") else set())
        for label, values in re.findall(r'(\w+)!?=~?"([^"]*)"', selectors):
            if label not in set(labels) | of_the_scrape:
                yield f"label {label} of {name}"
            elif label in ("result", "source", "event") and not set(values.split("|")) <= labels[label]:
                yield f"{label} {values} of {name}"
    grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", expression) + re.findall(r"label_values\(.*, (\w+)\)$", expression)
    for label in re.split(r", ?", ", ".join(grouped)) if grouped else []:
        if label not in asked | of_the_scrape:
            yield f"label {label}"


def test_alerts_and_dashboard_ask_for_what_is_exported(exported):
    asked = expressions()
    wrong = {where: found for where, expression in asked.items() if (found := list(faults(expression, exported)))}
    assert not wrong
    others = {where for where, expression in asked.items() if not re.search(r"\b(grantd|process)_", expression)}
    assert others == {"alert GrantdDown", "alert GrantdAbsent", "panel Daemons up A"}  # these ask for `up`


def test_every_exported_metric_is_on_the_dashboard(exported):
    asked = " ".join(expression for where, expression in expressions().items() if where.startswith("panel "))
    assert not [name for name in exported if name not in asked]


def test_labels_in_the_texts_of_alerts_are_there():
    for name, rule in re.findall(r"^      - alert: (\w+)\n(.*?)(?=^      - alert|\Z)", alerts, re.M | re.S):
        wanted = set(re.findall(r"\$labels\.(\w+)", rule))
        grouped = re.findall(r"\bby \(([^)]*)\)", rule)
        asked = [set(labels) for metric, (_, labels) in listed().items() if re.search(rf"\b{metric}\b", rule)]
        whole = of_the_scrape.union(set.intersection(*asked) if asked else ())
        kept = set(re.split(r", ?", grouped[-1])) if grouped else whole
        assert wanted <= kept, name


def test_the_dashboard_can_be_imported_anywhere():
    assert dashboard["schemaVersion"] >= 39
    kinds = {variable["name"]: variable["type"] for variable in dashboard["templating"]["list"]}
    assert kinds["datasource"] == "datasource"
    parts = json.dumps([dashboard["panels"], dashboard["templating"]])
    assert set(re.findall(r'"uid": "([^"]*)"', parts)) == {"${datasource}"}
    used = set(re.findall(r"\$(?!__)\{?(\w+)", json.dumps(dashboard["panels"])))
    assert used <= set(kinds)
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(numbers) == len(set(numbers))


# Prometheus's own word. Nothing of it runs grantd, so once is enough.


def promtool(*arguments):
    return subprocess.run(["promtool", *arguments], cwd=prometheus, capture_output=True, text=True, timeout=60)


def test_prometheus_takes_the_rules():
    checked = promtool("check", "rules", "alerts.yml")
    assert checked.returncode == 0, checked


def test_alerts_fire_when_they_should_and_only_then():
    tested = promtool("test", "rules", "alerts_test.yml")
    assert tested.returncode == 0, tested


def test_prometheus_takes_the_dashboards_expressions(directory):
    queries = {where: expression for where, expression in expressions().items() if where.startswith("panel ")}
    rules = [{"record": "x", "expr": expression.replace("$__rate_interval", "5m")} for expression in queries.values()]
    (directory / "rules.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked = promtool("check", "rules", str(directory / "rules.yml"))
    assert checked.returncode == 0, checked


def test_each_alert_is_tested_both_ways():
    cases = re.findall(r"alertname: (\w+)\n +eval_time: \S+\n +exp_alerts:(.*)", alert_tests)
    for name in re.findall(r"- alert: (\w+)", alerts):
        assert {rest.strip() == "[]" for alert, rest in cases if alert == name} == {True, False}, name


# The guide's tables and commands.


def test_every_error_code_is_in_the_troubleshooting_table():
    codes = re.findall(r'Row\{ErrorCode::\w+, "(\w+)"', (root / "common/error.cpp").read_text())
    explained = [code for row in rows_below(guide, "Troubleshooting by error code") for code in quoted(row[0])]
    assert codes and sorted(explained) == sorted(codes)


@pytest.fixture
def guided(make_daemon, authorization_server, api_server):
    """A daemon with the guide's configuration; only what cannot be on this machine is replaced."""
    [text] = re.findall(r"<!-- tested: toml -->\n *```toml\n(.*?)```", guide, re.S)
    daemon = make_daemon("")
    secret = daemon.directory / "secret"
    secret.write_text(new_secret() + "\n")
    for shown, here in (("https://login.example.com", authorization_server.origin), ('"billing"', '"root"'),
                        ("https://invoices.example.com", api_server.origin),
                        ("/etc/grantd/secrets/billing.client", str(secret))):
        assert shown in text
        text = text.replace(shown, here)
    text = re.sub(r"^ *(token_endpoint|base_url) = ", r"allow_insecure_http = true\n\1 = ", text, flags=re.M)
    daemon.configure(f'[daemon]\nsocket = "{daemon.socket}"\n\n{text}')
    return daemon.start()


@pytest.mark.root
def test_the_guides_configuration_and_commands_work(guided):
    assert check(guided.config).returncode == 0
    blocks = "\n".join(re.findall(r"^ *```sh\n(.*?)^ *```", guide, re.M | re.S))
    commands = re.findall(r"^ *(?:sudo (?:-u \w+ |runuser -u \w+ -- )?)?((?:grantctl|grantd|curl) .*?)(?: && sudo systemctl .*)?$",
                          blocks, re.M)
    assert {command.split()[1] for command in commands} >= {"check", "token", "doctor", "--check-text"}
    surroundings = {**os.environ, "GRANTD_SOCKET": str(guided.socket)}
    for command in commands:
        here = command.replace("/run/grantd/grantd.sock", str(guided.socket))
        here = here.replace("grantctl", str(control_program), 1)
        if command == "grantctl check":
            here += f" {guided.config}"
        here = re.sub(r"^grantd ", f"{daemon_program} --config {guided.config} ", here)
        done = subprocess.run(["sh", "-c", here], env=surroundings, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, (command, done)


def test_log_lines_are_as_the_guide_shows_them(start_daemon, authorization_server):
    clients = {"a": client(authorization_server), "b": client(authorization_server, allow_users=[])}
    daemon = start_daemon({"clients": clients})
    for name in clients:
        daemon.get_token(name)
    for event in ("token_handed_out", "access_denied"):
        [line] = until(lambda event=event: daemon.events(event))
        [fields] = re.findall(rf"`event={event} ([^`]*)`", guide)
        assert re.findall(r" (\w+)=", line) == re.findall(r"(\w+)=", fields)


# Exposure.


@pytest.mark.install
def test_each_point_that_systemd_counts_is_explained(tmp_path):
    unit = tmp_path / "grantd.service"
    template = (root / "systemd/grantd.service.in").read_text().replace("@bindir@", "/usr/bin")
    unit.write_text(re.sub(r"^@\w+@$", "", template, flags=re.M))  # keys that depend on the version of systemd
    judged = subprocess.run(["systemd-analyze", "security", "--offline=true", "--json=short", str(unit)],
                            capture_output=True, text=True, timeout=60)
    assert judged.returncode == 0, judged
    counted = {point["name"]: point["exposure"] for point in json.loads(judged.stdout) if not point["set"]}
    explained = {quoted(row[0])[0].replace("\\|", "|"): row for row in rows_below(threat_model, "Exposure")}
    assert counted and set(counted) == set(explained)
    # Versions of systemd round differently.
    assert all(row[2] and abs(float(row[1]) - float(counted[name])) < 0.11 for name, row in explained.items())
