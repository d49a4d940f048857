"""The Debian packages that tools/package has made: what is in them, and what their scripts do when. Installing and purging them
takes a machine that boots."""

import os
import re
import subprocess
from email.parser import Parser
from pathlib import Path

import pytest

pytestmark = pytest.mark.package

root = Path(__file__).parents[2]
made = root / "build/package"
names = ["grantd", "libgrantd-dev", "libgrantd1"]


def run(*command, status=0):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300)
    assert result.returncode == status, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def file_of(name):
    [found] = made.glob(f"{name}_*.deb")
    return found


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """A folder a package, with the control files in DEBIAN."""
    folder = tmp_path_factory.mktemp("packages")
    for name in names:
        run("dpkg-deb", "--raw-extract", file_of(name), folder / name)
    return folder


@pytest.fixture(scope="module")
def multiarch():
    return run("dpkg-architecture", "-q", "DEB_HOST_MULTIARCH").strip()


def fields(unpacked, name):
    return Parser().parsestr((unpacked / name / "DEBIAN/control").read_text())


def entries(name):
    """{path: mode and owner} of the files and empty folders in a package."""
    lines = [line.split(maxsplit=5) for line in run("dpkg-deb", "--contents", file_of(name)).splitlines()]
    found = {line[5].split(" -> ")[0].removeprefix("."): f"{line[0]} {line[1]}" for line in lines}
    return {path: mode for path, mode in found.items()
            if not path.endswith("/") or not any(other != path and other.startswith(path) for other in found)}


def script(unpacked, name):
    return (unpacked / "grantd/DEBIAN" / name).read_text()


def assert_in_order(text, *parts):
    places = [text.find(part) for part in parts]
    assert -1 not in places and places == sorted(places), dict(zip(parts, places, strict=True))


def test_lintian_finds_no_error():
    [changes] = made.glob("*.changes")
    run("lintian", "--allow-root", "--fail-on", "error", "--tag-display-limit", "0", changes)


def test_nothing_but_the_packages_is_left_of_the_build():
    assert {path.name.split("_")[0] for path in made.glob("*.deb")} == set(names)
    assert {path.suffix for path in made.iterdir()} - {""} == {".deb", ".changes", ".buildinfo", ".log"}
    assert not [path for path in made.iterdir() if path.is_dir()]


def test_all_say_the_same_version(unpacked):
    version = re.search(r"version: '([^']+)'", (root / "meson.build").read_text())[1]
    assert re.match(rf"grantd \({re.escape(version)}\) ", (root / "debian/changelog").read_text())
    assert re.search(rf"^## {re.escape(version)}\b", (root / "CHANGELOG.md").read_text(), re.M)
    for name in names:
        assert fields(unpacked, name)["Version"] == version
    for program in ("grantd", "grantctl"):
        assert run(unpacked / "grantd/usr/bin" / program, "--version") == f"{program} {version}\n"


def test_the_daemons_package_has_all_that_a_machine_needs(unpacked):
    found = set(entries("grantd"))
    units = "/usr/lib" if (unpacked / "grantd/usr/lib/systemd").exists() else "/lib"
    assert found >= {
        "/etc/grantd/grantd.toml", "/etc/grantd/conf.d/", "/etc/grantd/secrets/", "/usr/bin/grantd", "/usr/bin/grantctl",
        *(f"{units}/systemd/system/{name}" for name in ("grantd.socket", "grantd.service", "grantd-pause.service")),
        "/usr/lib/sysusers.d/grantd.conf",
        "/usr/share/man/man8/grantd.8.gz", "/usr/share/man/man1/grantctl.1.gz", "/usr/share/man/man5/grantd.toml.5.gz",
        "/usr/share/bash-completion/completions/grantd", "/usr/share/bash-completion/completions/grantctl",
        "/usr/share/doc/grantd/copyright", "/usr/share/doc/grantd/examples/grantd-full.toml",
        "/usr/share/doc/grantd/prometheus/alerts.yml", "/usr/share/doc/grantd/prometheus/dashboard.json"}
    elsewhere = [path for path in found if not re.match(
        r"/etc/grantd/|/usr/bin/|(/usr)?/lib/systemd/system/|/usr/lib/sysusers.d/|/usr/share/(man|doc|lintian|bash-completion)/", path)]
    assert not elsewhere


def test_the_librarys_packages_have_its_files_in_the_architectures_folder(multiarch):
    library = f"/usr/lib/{multiarch}"

    def files(name):
        return {path for path in entries(name)
                if not re.fullmatch(rf"/usr/share/doc/{name}/(changelog(\.Debian)?\.gz|copyright)", path)}

    assert files("libgrantd1") == {f"{library}/libgrantd.so.1", f"{library}/libgrantd.so.1.0.0"}
    headers = {f"/usr/include/grantd/{path.name}" for path in (root / "client-lib/include/grantd").iterdir()}
    assert files("libgrantd-dev") == headers | {f"{library}/libgrantd.so", f"{library}/libgrantd.a",
                                                f"{library}/pkgconfig/grantd.pc"}


def test_packages_need_what_they_have_to(unpacked):
    version = fields(unpacked, "grantd")["Version"]
    assert "libgrantd1" not in fields(unpacked, "grantd")["Depends"]
    assert "systemd-sysusers" in fields(unpacked, "grantd")["Depends"]
    assert fields(unpacked, "libgrantd-dev")["Depends"] == f"libgrantd1 (= {version})"
    needed = {name.split()[0] for name in fields(unpacked, "libgrantd1")["Depends"].split(", ")}
    assert needed <= {"libc6", "libgcc-s1", "libstdc++6"}
    assert (unpacked / "libgrantd1/DEBIAN/shlibs").read_text() == f"libgrantd 1 libgrantd1 (>= {version})\n"


def test_programs_are_hardened(unpacked):
    for program in ("grantd", "grantctl"):
        binary = unpacked / "grantd/usr/bin" / program
        dynamic = run("readelf", "-d", binary)
        assert "BIND_NOW" in dynamic or "NOW" in re.search(r"FLAGS_1.*", dynamic)[0]
        assert re.search(r"FLAGS_1.*\bPIE\b", dynamic)
        assert "__stack_chk_fail" in run("nm", "-D", binary)


def test_the_configuration_is_the_administrators_and_closed_to_others(unpacked):
    assert (unpacked / "grantd/DEBIAN/conffiles").read_text() == "/etc/grantd/grantd.toml\n"
    found = {path: mode for path, mode in entries("grantd").items() if path.startswith("/etc/")}
    assert found == {"/etc/grantd/grantd.toml": "-rw-r----- root/root", "/etc/grantd/conf.d/": "drwxr-x--- root/root",
                     "/etc/grantd/secrets/": "drwxr-x--- root/root"}
    assert (unpacked / "grantd/etc/grantd").stat().st_mode & 0o777 == 0o750


def test_the_default_configuration_is_right_and_defines_nothing(unpacked):
    told = run(unpacked / "grantd/usr/bin/grantd", "--check", "--config", unpacked / "grantd/etc/grantd/grantd.toml")
    assert "no errors, 0 clients, 0 apis" in told


def test_the_default_configuration_shows_the_one_to_begin_with(unpacked):
    text = (unpacked / "grantd/etc/grantd/grantd.toml").read_text()
    uncommented = re.sub(r"^#(?! )", "", text, flags=re.M)
    lines = [line for line in uncommented.splitlines() if line and not line.startswith("#")]
    example = (root / "config/grantd.toml").read_text().splitlines()
    assert len(lines) > 5 and lines == [line for line in example if line and not line.startswith("#")]


def test_installing_makes_the_user_then_opens_the_configuration_then_starts_the_socket(unpacked):
    assert_in_order(script(unpacked, "postinst"), "systemd-sysusers grantd.conf", "chgrp grantd",
                    "deb-systemd-helper enable 'grantd.socket'", "deb-systemd-invoke start 'grantd.socket'")
    assert not re.search(r"deb-systemd-invoke \w*start[^\n]*grantd\.service'", script(unpacked, "postinst").replace("try-restart", ""))


def test_an_upgrade_restarts_a_running_service_in_one_step_and_leaves_the_socket_alone(unpacked):
    invoked = re.findall(r"deb-systemd-invoke (\S+) (.*?) >", script(unpacked, "postinst"))
    assert invoked == [("start", "'grantd.socket'"), ("try-restart", "'grantd.service'")]
    assert not (unpacked / "grantd/DEBIAN/preinst").exists()
    before = script(unpacked, "prerm")
    assert len(re.findall(r"deb-systemd-invoke stop", before)) == len(re.findall(r'"\$1" = "?remove"?', before)) == 2


def test_an_upgrade_asks_the_new_version_about_the_configuration_before_it_restarts(unpacked):
    assert_in_order(script(unpacked, "postinst"), "daemon-reload", "deb-systemd-invoke start 'grantd.socket'", '[ -n "$2" ]',
                    "--check-text", "deb-systemd-invoke try-restart 'grantd.service'", "refuses the configuration")


def test_purging_removes_overrides_before_the_group_that_they_name(unpacked):
    assert_in_order(script(unpacked, "postrm"), '"$1" = purge', "dpkg-statoverride --quiet --remove", "rm -rf /etc/grantd",
                    "userdel grantd", 'groupdel "$group"', "deb-systemd-helper purge 'grantd.service'")


def test_scripts_are_read_by_the_systems_shell_without_a_complaint(unpacked):
    for name in ("postinst", "prerm", "postrm"):
        path = unpacked / "grantd/DEBIAN" / name
        assert os.access(path, os.X_OK)
        assert script(unpacked, name).startswith("#!/bin/sh\nset -e\n")
        run("sh", "-n", path)


def test_what_is_needed_to_build_can_be_had_here():
    run("dpkg-checkbuilddeps", root / "debian/control")
