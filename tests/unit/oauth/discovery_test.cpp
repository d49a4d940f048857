#include "daemon/oauth/discovery.hpp"

#include <doctest/doctest.h>

#include "tests/fakes/log_recorder.hpp"
#include "tests/fakes/manual_clock.hpp"
#include "tests/fakes/scripted_transport.hpp"

using namespace grantd;
using namespace grantd::tests;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view document =
    R"({"issuer":"https://as.example/x","token_endpoint":"https://as.example/token"})";
constexpr std::string_view moved =
    R"({"issuer":"https://as.example/x","token_endpoint":"https://as.example/new"})";

struct Lookups {
  daemon::DiscoveryTarget target{.rules = {.issuer = config::Url::parse("https://as.example/x").value()},
                                 .options = {}};
  ManualTime time;
  LogRecorder log;
  ScriptedTransport transport;
  std::shared_ptr<daemon::Discovery> discovery =
      std::make_shared<daemon::Discovery>(target, time.timers, transport, log);
  std::vector<std::string> found;

  void find() {
    discovery->find(time.timers.now() + 10s, [this](const daemon::Discovery::Found& outcome) {
      found.push_back(outcome ? (*outcome)->token_endpoint.path : std::string{outcome.error().result});
    });
  }
  std::vector<std::string> take() { return std::exchange(found, {}); }
  void know() {
    find();
    transport.respond(200, document);
    take();
  }
};

using Answers = std::vector<std::string>;

}  // namespace

TEST_CASE("discovery: whoever waits shares one lookup") {
  Lookups lookups;
  lookups.find();
  lookups.find();
  CHECK(lookups.transport.requests == 1);
  lookups.transport.respond(200, document);
  CHECK(lookups.take() == Answers{"/token", "/token"});
  lookups.find();
  CHECK(lookups.take() == Answers{"/token"});
  CHECK(lookups.transport.requests == 1);
}

TEST_CASE("discovery: after an hour the document is fetched anew while the old one serves") {
  Lookups lookups;
  lookups.know();
  lookups.time.advance(59min);
  lookups.find();
  CHECK(lookups.transport.requests == 1);
  lookups.time.advance(2min);
  lookups.find();
  CHECK(lookups.take() == Answers{"/token", "/token"});
  CHECK(lookups.transport.requests == 2);
  lookups.transport.respond(200, moved);
  lookups.find();
  CHECK(lookups.take() == Answers{"/new"});
  CHECK(lookups.transport.requests == 2);
}

TEST_CASE("discovery: a document that cannot be renewed stays in use") {
  Lookups lookups;
  lookups.know();
  lookups.time.advance(2h);
  lookups.find();
  lookups.transport.fail(daemon::TransportError::Kind::unreachable);
  lookups.find();
  CHECK(lookups.take() == Answers{"/token", "/token"});
  CHECK(lookups.transport.requests == 2);  // and the server is left alone for a while
  CHECK(lookups.log.has("discovery_failed"));
}

TEST_CASE("discovery: a document in doubt is fetched before it is used again, and used if that fails") {
  Lookups lookups;
  lookups.know();
  lookups.discovery->doubt();
  lookups.find();
  CHECK(lookups.take().empty());
  lookups.transport.respond(200, moved);
  CHECK(lookups.take() == Answers{"/new"});
  lookups.discovery->doubt();
  lookups.find();
  lookups.transport.respond(503);
  lookups.transport.respond(404);
  CHECK(lookups.take() == Answers{"/new"});
}

TEST_CASE("discovery: of two failures the one that may pass, or that speaks of a document, is told") {
  Lookups lookups;
  lookups.find();
  lookups.transport.respond(200, R"({"issuer":"https://other.example"})");
  lookups.transport.respond(404);
  lookups.find();
  lookups.transport.respond(503);
  lookups.transport.respond(200, "[]");
  CHECK(lookups.take() == Answers{"invalid_response", "http_error"});
}

TEST_CASE("discovery: a host that cannot be reached is asked once") {
  Lookups lookups;
  lookups.find();
  lookups.transport.fail(daemon::TransportError::Kind::unreachable);
  CHECK(lookups.take() == Answers{"transport_error"});
  CHECK(lookups.transport.requests == 1);
}

TEST_CASE("discovery: the same target is the same lookup for as long as somebody holds it") {
  Lookups lookups;
  daemon::Discoveries all{lookups.time.timers, lookups.transport, lookups.log};
  auto first = all.of(lookups.target);
  CHECK(all.of(lookups.target) == first);
  auto other = lookups.target;
  other.rules.allow_endpoint_hosts = {"b.example"};
  CHECK(all.of(other) != first);
  const std::weak_ptr<daemon::Discovery> gone = first;
  first.reset();
  CHECK(gone.expired());
}
