#include "daemon/shared/circuit.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "daemon/shared/refused_versions.hpp"

using namespace std::chrono_literals;
using grantd::common::BootTime;
using grantd::daemon::Circuit;

TEST_CASE("circuit: pauses double from a second to thirty, and begin anew once it is of use again") {
  Circuit circuit;
  CHECK(circuit.closed());
  const BootTime now{100s};
  std::vector<std::chrono::nanoseconds> pauses;
  for (int i = 0; i < 7; ++i) pauses.push_back(circuit.open(now, 0) - now);
  CHECK(pauses == std::vector<std::chrono::nanoseconds>{1s, 2s, 4s, 8s, 16s, 30s, 30s});
  CHECK_FALSE(circuit.closed());
  circuit.close();
  CHECK(circuit.closed());
  circuit.prove();
  CHECK(circuit.open(now, 0) == now + 1s);
}

TEST_CASE("circuit: a probe's answer alone does not begin the pauses anew") {
  Circuit circuit;
  const BootTime now{100s};
  for (const auto pause : {1s, 2s, 4s}) {
    CHECK(circuit.open(now, 0) == now + pause);
    circuit.prove();  // of what came in late
    circuit.close();
    CHECK(circuit.closed());
  }
}

TEST_CASE("circuit: jitter adds up to a tenth") {
  Circuit circuit;
  const auto at = circuit.open(BootTime{}, 0.999);
  CHECK(at > BootTime{1090ms});
  CHECK(at < BootTime{1100ms});
}

TEST_CASE("refused versions: until the token expires, or the server gives it again") {
  grantd::daemon::RefusedVersions refused;
  refused.add("v", BootTime{10s}, BootTime{1s});
  refused.add("v", BootTime{5s}, BootTime{1s});
  refused.add("", BootTime{10s}, BootTime{1s});
  CHECK(refused.has("v", BootTime{9s}));
  CHECK_FALSE(refused.has("v", BootTime{10s}));
  CHECK_FALSE(refused.has("", BootTime{1s}));
  refused.forgive("v");
  CHECK_FALSE(refused.has("v", BootTime{1s}));
}
