#include "daemon/authz/audit_log.hpp"

#include <doctest/doctest.h>

#include "tests/fakes/log_recorder.hpp"
#include "tests/fakes/manual_clock.hpp"

using namespace grantd;
using namespace std::chrono_literals;
using daemon::AuditLog;

namespace {

struct Auditing {
  tests::ManualTime time;
  tests::LogRecorder log;
  int counted = 0;
  int left_out = 0;
  AuditLog audit{time.timers, log, [this](AuditLog::Event, bool written) {
                   ++counted;
                   if (!written) ++left_out;
                 }};
  void refuse(int times, uid_t uid) {
    for (int i = 0; i < times; ++i) audit.refused({.pid = 5, .uid = uid, .gid = 7}, {"client", "a"});
  }
};

}  // namespace

TEST_CASE("audit log: a refusal says who wanted what") {
  Auditing a;
  a.audit.refused({.pid = 5, .uid = 6, .gid = 7, .unit = "x.service"}, {"api", "p"});
  CHECK(a.log.has("event=access_denied api=p pid=5 uid=6 gid=7 unit=x.service"));
}

TEST_CASE("audit log: a hand-out says who was given which token") {
  Auditing a;
  a.audit.handed_out({.pid = 5, .uid = 6, .gid = 7}, {.client = "c", .scope = "s t", .fingerprint = "f"},
                     true);
  CHECK(a.log.has("event=token_handed_out client=c pid=5 uid=6 unit=none scope=\"s t\" fingerprint=f"));
}

TEST_CASE("audit log: a user in a loop does not fill the log, hides nobody, and is counted") {
  Auditing a;
  a.refuse(100, 6);
  CHECK(a.log.lines().size() == 60);
  a.refuse(1, 8);
  CHECK(a.log.has("uid=8"));
  CHECK(a.counted == 101);
  CHECK(a.left_out == 40);
}

TEST_CASE(
    "audit log: what was left out is told within a minute though nothing else happens; then lines come "
    "again") {
  Auditing a;
  a.refuse(100, 6);
  a.time.advance(30s);
  a.refuse(61, 8);
  a.time.advance(30s);
  CHECK(a.log.has("event=audit_lines_left_out uid=6 left_out=40"));
  CHECK_FALSE(a.log.has("event=audit_lines_left_out uid=8"));
  a.time.advance(30s);
  CHECK(a.log.has("event=audit_lines_left_out uid=8 left_out=1"));
  a.refuse(1, 6);
  CHECK(a.log.count("event=access_denied client=a pid=5 uid=6") == 61);
}

TEST_CASE("audit log: refusals do not hide what the same user is given") {
  Auditing a;
  a.refuse(100, 6);
  CHECK(a.audit.handed_out({.pid = 5, .uid = 6}, {.client = "c", .scope = "s", .fingerprint = "f"}, true));
  CHECK(a.log.has("event=token_handed_out client=c pid=5 uid=6"));
}

TEST_CASE(
    "audit log: a hand-out that was left out is told with the next one, once there are lines, and counted "
    "once") {
  Auditing a;
  const auto hand_out = [&a](bool first) {
    return a.audit.handed_out({.pid = 5, .uid = 6}, {.client = "c", .scope = "s", .fingerprint = "f"}, first);
  };
  for (int i = 0; i < 60; ++i) CHECK(hand_out(true));
  CHECK_FALSE(hand_out(true));
  for (int i = 0; i < 10; ++i) CHECK_FALSE(hand_out(false));
  a.time.advance(60s);
  CHECK(a.log.has("event=audit_lines_left_out uid=6 left_out=1"));
  CHECK(hand_out(false));
  CHECK(a.counted == 61);
  CHECK(a.left_out == 1);
}

TEST_CASE("audit log: whether a hand-out can be told of is known beforehand, and again a minute later") {
  Auditing a;
  const auto hand_out = [&a](bool first) {
    return a.audit.handed_out({.pid = 5, .uid = 6}, {.client = "c", .scope = "s", .fingerprint = "f"}, first);
  };
  CHECK(a.audit.may_tell(6));
  a.refuse(60, 6);
  for (int i = 0; i < 60; ++i) {
    CHECK(a.audit.may_tell(6));
    hand_out(true);
  }
  CHECK_FALSE(a.audit.may_tell(6));
  CHECK_FALSE(hand_out(true));
  CHECK(a.audit.may_tell(8));
  a.time.advance(60s);
  CHECK(a.audit.may_tell(6));
  CHECK(hand_out(false));
}
