"""What `meson install` puts in place: programs, and a library that other programs build and run against and that binds
them to nothing more than libc and libstdc++."""

import os
import re
import shlex
import subprocess

import pytest

from grantd import build, client

pytestmark = pytest.mark.install

program = """\
#include <grantd/client.hpp>

#include <iostream>

int main() {
  grantd::Client client;
  grantd::Token token = client.get_access_token("catalog.client");
  std::cout << token.value() << std::endl;
  try {
    client.get_access_token("absent");
    return 1;
  } catch (const grantd::Error& error) {
    std::cout << error.code() << std::endl;
  }
}
"""


def run(*command, **options):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, **options)
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The prefix of an installation."""
    destination = tmp_path_factory.mktemp("install")
    run("meson", "install", "-C", build, "--no-rebuild", "--quiet", env={**os.environ, "DESTDIR": str(destination)})
    [header] = destination.rglob("include/grantd/client.hpp")
    return header.parents[2]


@pytest.fixture(scope="module")
def library(installed):
    [found] = [path for path in installed.rglob("libgrantd.so.1*") if not path.is_symlink()]
    return found


def pkg_config(installed, library, *options):
    destination = str(installed)[: -len(run("pkg-config", "--variable=prefix",
                                            library.parent / "pkgconfig/grantd.pc").strip())]
    surroundings = {**os.environ, "PKG_CONFIG_PATH": str(library.parent / "pkgconfig"),
                    "PKG_CONFIG_SYSROOT_DIR": destination}
    return shlex.split(run("pkg-config", *options, "grantd", env=surroundings))


@pytest.mark.parametrize("kind", ["shared", "static"])
def test_a_program_builds_and_runs_against_the_library(installed, library, tmp_path, start_daemon,
                                                       authorization_server, kind):
    source, made = tmp_path / "program.cpp", tmp_path / "program"
    source.write_text(program)
    if kind == "shared":
        libraries = pkg_config(installed, library, "--libs")
    else:
        libraries = pkg_config(installed, library, "--libs", "--static")
        libraries = [str(library.parent / "libgrantd.a") if flag == "-lgrantd" else flag for flag in libraries]
    flags = pkg_config(installed, library, "--cflags")
    run("g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", *flags, source, "-o", made, *libraries)
    needed = run("readelf", "-d", made)
    assert ("libgrantd.so.1" in needed) == (kind == "shared")
    daemon = start_daemon({"clients": {"catalog.client": client(authorization_server)}})
    surroundings = {**os.environ, "GRANTD_SOCKET": str(daemon.socket), "LD_LIBRARY_PATH": str(library.parent)}
    printed = run(made, env=surroundings).splitlines()
    assert printed == [daemon.get_token("catalog.client").token, "unknown_client"]


def test_a_c_program_builds_against_the_library_and_finds_every_call_of_its_header(installed, library, tmp_path):
    header = (installed / "include/grantd/grantd.h").read_text()
    calls = sorted(set(re.findall(r"\b(grantd_\w+)\(", header)))
    assert len(calls) > 25
    source = tmp_path / "program.c"
    source.write_text("#include <grantd/grantd.h>\ntypedef void (*call)(void);\n"
                      f"call calls[] = {{{', '.join(f'(call){name}' for name in calls)}}};\n"
                      "int main(void) { return calls[0] == NULL; }\n")
    run("gcc", "-std=c99", "-Wall", "-Werror", *pkg_config(installed, library, "--cflags"), source, "-o", tmp_path / "program",
        *pkg_config(installed, library, "--libs"))
    run(tmp_path / "program", env={**os.environ, "LD_LIBRARY_PATH": str(library.parent)})


def test_programs_and_examples_are_in_their_places(installed):
    for name in ("grantd", "grantctl"):
        found = [path for path in installed.rglob(name) if path.is_file() and os.access(path, os.X_OK)]
        assert len(found) == 1 and found[0].parent.name in ("bin", "sbin")
        assert run(found[0], "--version")
    assert list(installed.rglob("grantd-full.toml"))
    assert not [path for path in installed.rglob("*.hpp") if "include/grantd" not in str(path)]


def test_the_library_has_a_versioned_name(library):
    assert re.search(r"SONAME.*\[libgrantd\.so\.1\]", run("readelf", "-d", library))
    beside = {path.name for path in library.parent.glob("libgrantd.*")}
    assert beside >= {"libgrantd.so", "libgrantd.so.1", "libgrantd.a"}


def test_the_library_needs_nothing_beyond_libc_and_libstdcpp(library):
    needed = set(re.findall(r"NEEDED.*\[(\S+)\]", run("readelf", "-d", library)))
    assert needed <= {"libstdc++.so.6", "libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2",
                      "ld-linux-aarch64.so.1"}


def test_the_library_exports_its_own_names_alone(library):
    symbols = run("nm", "-D", "--defined-only", "-C", library).splitlines()
    names = [line.split(" ", 2)[2] for line in symbols]
    own = re.compile(r"((typeinfo( name)?|vtable|VTT|guard variable) for )?grantd::(?!common|config|daemon)|grantd_\w+$")
    foreign = [name for name in names if not own.match(name)]
    assert names and not foreign, foreign[:20]


def test_no_installed_header_needs_anything_but_the_standard_library(installed):
    for header in installed.rglob("include/grantd/*.hpp"):
        for name in re.findall(r"#include <([^>]+)>", header.read_text()):
            assert "/" not in name or name.startswith("grantd/"), f"{header}: {name}"
        run("g++", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wno-pragma-once-outside-header", "-x", "c++",
            "-I", header.parents[1], header)


# What systemd says of the units; nothing of it runs here.


@pytest.fixture(scope="module")
def units(installed):
    folder = installed / "lib/systemd/system"
    if not (folder / "grantd.socket").exists():
        [folder] = {path.parent for path in installed.parent.rglob("lib/systemd/system/grantd.socket")}
    return folder


def test_systemd_finds_no_mistake_in_the_units(units, installed, tmp_path):
    names = ("grantd.socket", "grantd.service", "grantd-pause.service")
    for name in names:
        text = (units / name).read_text()
        (tmp_path / name).write_text(re.sub(r"=/\S*/bin/", f"={installed}/bin/", text))
    checked = subprocess.run(["systemd-analyze", "verify", *(tmp_path / name for name in names)], capture_output=True,
                             text=True, timeout=60)
    assert checked.returncode == 0 and "grantd" not in checked.stderr, checked.stderr


def test_the_service_is_exposed_no_more_than_1_5(units):
    judged = run("systemd-analyze", "security", "--offline=true", units / "grantd.service")
    exposure = float(re.search(r"Overall exposure level for grantd.service: ([0-9.]+)", judged)[1])
    assert exposure <= 1.5, judged


def test_the_service_keeps_what_peer_identity_needs(units):
    text = (units / "grantd.service").read_text()
    assert not re.search(r"^(PrivateUsers|ProtectProc)=", text, re.M)
    for line in ("Type=notify", "StartLimitIntervalSec=0", "RestartPreventExitStatus=78", "Restart=on-failure",
                 "MemorySwapMax=0", "User=grantd", "Group=grantd", "CapabilityBoundingSet="):
        assert re.search(rf"^{re.escape(line)}$", text, re.M), line


def test_the_service_is_told_how_much_is_held_for_it(units):
    text = (units / "grantd.service").read_text()
    version = int(run("systemctl", "--version").split()[1])
    [most] = re.findall(r"^FileDescriptorStoreMax=(\d+)$", text, re.M)
    # Later ones tell it themselves, and this would override what they say.
    assert re.findall(r"^Environment=FDSTORE=(.*)$", text, re.M) == ([most] if version < 254 else [])


def test_the_socket_is_for_the_callers_group(units):
    text = (units / "grantd.socket").read_text()
    for line in ("ListenStream=/run/grantd/grantd.sock", "SocketMode=0660", "SocketUser=grantd", "SocketGroup=grantd-clients"):
        assert re.search(rf"^{re.escape(line)}$", text, re.M), line


def test_the_units_users_and_groups_are_made(units):
    [made] = units.parents[2].rglob("lib/sysusers.d/grantd.conf")
    lines = [line.split()[:2] for line in made.read_text().splitlines() if line and not line.startswith("#")]
    assert lines == [["u", "grantd"], ["g", "grantd-clients"]]
