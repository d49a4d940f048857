#include <doctest/doctest.h>

#include "daemon/cache/provocation_limit.hpp"
#include "daemon/cache/refresh_policy.hpp"
#include "daemon/cache/remembered_error.hpp"

using namespace std::chrono_literals;
using grantd::common::BootTime;
using grantd::common::Error;
using grantd::common::ErrorCode;
using grantd::daemon::default_min_valid;
using grantd::daemon::ProvocationLimit;
using grantd::daemon::RememberedError;
using grantd::daemon::renewal_time;
using grantd::daemon::renewal_time_of_same_token;

namespace {
const BootTime start{1000s};
}

TEST_CASE("refresh policy: renewal starts the configured time before expiry") {
  CHECK(renewal_time(start, start + 600s, 60s, 0.0) == start + 540s);
}

TEST_CASE("refresh policy: a window longer than the lifetime does not renew before half of it") {
  CHECK(renewal_time(start, start + 100s, 24h, 0.0) == start + 50s);
}

TEST_CASE("refresh policy: jitter delays the start by less than a tenth of the lead") {
  CHECK(renewal_time(start, start + 600s, 60s, 0.5) == start + 543s);
  CHECK(renewal_time(start, start + 600s, 60s, 0.999) < start + 546s);
}

TEST_CASE("refresh policy: the least validity is ten seconds or a tenth of the lifetime") {
  CHECK(default_min_valid(start, start + 1h) == 10s);
  CHECK(default_min_valid(start, start + 20s) == 2s);
}

TEST_CASE("refresh policy: the same token again is asked for in half the time left, at least a second") {
  CHECK(renewal_time_of_same_token(start, start + 40s) == start + 20s);
  CHECK(renewal_time_of_same_token(start, start + 1s) == start + 1s);
}

TEST_CASE("remembered error: failures in a row double the time up to the bound, a success begins anew") {
  RememberedError memory;
  BootTime now = start;
  for (const auto expected : {1s, 2s, 4s, 8s, 10s, 10s}) {
    memory.remember({.code = ErrorCode::authorization_server_unavailable}, now, 10s);
    CHECK(memory.until() == now + expected);
    now = memory.until();
    CHECK_FALSE(memory.current(now));
  }
  memory.forget();
  memory.remember({}, now, 10s);
  CHECK(memory.until() == now + 1s);
}

TEST_CASE("remembered error: Retry-After decides, up to five minutes") {
  RememberedError memory;
  memory.remember({}, start, 10s, 90s);
  CHECK(memory.until() == start + 90s);
  memory.remember({}, start, 10s, 1h);
  CHECK(memory.until() == start + 5min);
}

TEST_CASE("remembered error: it tells the whole seconds left, at least one") {
  RememberedError memory;
  memory.remember({}, start, 10s, 3s);
  CHECK(memory.current(start + 500ms)->retry_after == 3s);
  CHECK(memory.current(start + 2900ms)->retry_after == 1s);
}

TEST_CASE("provocation limit: so many in any minute for each user, then the time until one is free") {
  ProvocationLimit limit{2};
  CHECK_FALSE(limit.wait_time(1, start));
  limit.count(1, start);
  limit.count(1, start + 10s);
  CHECK(limit.wait_time(1, start + 20s) == 40s);
  CHECK_FALSE(limit.wait_time(2, start + 20s));
  CHECK_FALSE(limit.wait_time(1, start + 60s));
}

TEST_CASE("provocation limit: a limit of zero refuses everything") {
  ProvocationLimit limit{0};
  CHECK(limit.wait_time(1, start).has_value());
}
