#include "daemon/oauth/endpoint_client.hpp"

#include <doctest/doctest.h>

#include "tests/unit/oauth/endpoint_fixture.hpp"

using namespace std::chrono_literals;
using grantd::common::ErrorCode;
using grantd::common::Secret;
using grantd::daemon::TransportError;
using grantd::tests::EndpointFixture;
using Memory = grantd::daemon::FetchError::Memory;
using Kind = TransportError::Kind;

TEST_CASE("endpoint client: one request brings a token") {
  EndpointFixture f;
  f.fetch();
  REQUIRE(f.transport.under_way.size() == 1);
  const auto& exchange = f.transport.under_way.front();
  CHECK(exchange.request.body.reveal() == "grant_type=client_credentials&scope=x");
  CHECK(exchange.options.connect_timeout == 3s);
  CHECK(exchange.options.tls.ca_file == "/ca.pem");
  CHECK(exchange.deadline == f.time.clock.now() + 10s);
  CHECK(f.take() == "waiting");
  f.transport.respond(200, EndpointFixture::token);
  CHECK(f.take() == "s3cr3t-token 60");
  CHECK(f.exchanges == std::vector<std::string>{"success"});
}

TEST_CASE("endpoint client: a passing trouble is tried three times in all") {
  struct Trouble {
    std::string what;
    std::function<void(EndpointFixture&)> happen;
    ErrorCode code;
  };
  const Trouble troubles[] = {
      {"503", [](auto& f) { f.transport.respond(503); }, ErrorCode::authorization_server_unavailable},
      {"429", [](auto& f) { f.transport.respond(429); }, ErrorCode::authorization_server_unavailable},
      {"unreachable", [](auto& f) { f.transport.fail(Kind::unreachable); },
       ErrorCode::authorization_server_unavailable},
      {"empty", [](auto& f) { f.transport.respond(200); }, ErrorCode::invalid_token_response}};
  for (const auto& trouble : troubles) {
    CAPTURE(trouble.what);
    EndpointFixture f;
    f.fetch();
    for (int attempt = 1; attempt <= 3; ++attempt) {
      REQUIRE(f.transport.requests == attempt);
      CHECK(f.take() == "waiting");
      trouble.happen(f);
      f.time.advance(1s);
    }
    CHECK(f.transport.requests == 3);
    CHECK(f.take() == name(trouble.code));
    CHECK(f.last_error.memory == Memory::transient);
    CHECK(f.last_error.error.retry_after == 1s);
    CHECK(f.exchanges.size() == 3);
  }
}

TEST_CASE("endpoint client: the second attempt's token is as good as the first's") {
  EndpointFixture f;
  f.fetch();
  f.transport.respond(500);
  f.time.advance(1s);
  f.transport.respond(200, EndpointFixture::token);
  CHECK(f.take() == "s3cr3t-token 60");
  CHECK(f.exchanges == std::vector<std::string>{"http_error", "success"});
}

TEST_CASE("endpoint client: pauses grow, and the jitter chooses them") {
  EndpointFixture f;
  f.entropy.set(std::byte{0x80});  // half
  f.fetch();
  f.transport.respond(500);
  f.time.advance(240ms);
  CHECK(f.transport.requests == 1);
  f.time.advance(20ms);
  CHECK(f.transport.requests == 2);
  f.transport.respond(500);
  f.time.advance(490ms);
  CHECK(f.transport.requests == 2);
  f.time.advance(20ms);
  CHECK(f.transport.requests == 3);
}

TEST_CASE("endpoint client: what will not pass is asked once") {
  EndpointFixture f;
  for (const auto& [status, body, expected] :
       {std::tuple{401, R"({"error":"invalid_client"})", "token_request_rejected"},
        std::tuple{404, "", "token_request_rejected"}, std::tuple{200, "<html>", "invalid_token_response"},
        std::tuple{302, "", "invalid_token_response"}}) {
    f.fetch();
    f.transport.respond(status, body);
    CHECK(f.take() == expected);
  }
  for (const auto& [kind, expected] : {std::pair{Kind::bad_response, "invalid_token_response"},
                                       std::pair{Kind::misconfigured, "client_unavailable"}}) {
    f.fetch();
    f.transport.fail(kind);
    CHECK(f.take() == expected);
  }
  f.time.advance(1min);
  CHECK(f.transport.requests == 6);
}

TEST_CASE("endpoint client: Retry-After is waited for") {
  EndpointFixture f;
  f.fetch();
  f.transport.respond(503, "", {{"Retry-After", "4"}});
  f.time.advance(3999ms);
  CHECK(f.transport.requests == 1);
  f.time.advance(1ms);
  CHECK(f.transport.requests == 2);
}

TEST_CASE("endpoint client: a Retry-After beyond the deadline ends the request at once and is passed on") {
  EndpointFixture f;
  f.fetch();
  f.transport.respond(429, "", {{"Retry-After", "120"}});
  CHECK(f.take() == "authorization_server_unavailable");
  CHECK(f.last_error.retry_after == 120s);
  CHECK(f.last_error.error.retry_after == 120s);
  f.time.advance(200s);
  CHECK(f.transport.requests == 1);
}

TEST_CASE("endpoint client: the deadline is over all attempts") {
  EndpointFixture f;
  f.fetch();
  const auto deadline = f.transport.under_way.front().deadline;
  f.time.advance(6s);
  f.transport.respond(503);
  f.time.advance(1s);
  REQUIRE(f.transport.requests == 2);
  CHECK(f.transport.under_way.front().deadline == deadline);
  f.time.advance(4s);
  CHECK(f.take() == "token_request_timeout");
  CHECK(f.exchanges == std::vector<std::string>{"http_error", "timeout"});
}

TEST_CASE("endpoint client: a transport that does not come back in time is waited for no longer") {
  EndpointFixture f;
  f.fetch();
  f.time.advance(9999ms);
  CHECK(f.take() == "waiting");
  f.time.advance(200ms);
  CHECK(f.take() == "token_request_timeout");
  CHECK(f.last_error.memory == Memory::transient);
  f.transport.respond(200, EndpointFixture::token);  // too late
  CHECK(f.take() == "waiting");
  CHECK(f.exchanges == std::vector<std::string>{"timeout"});
}

TEST_CASE("endpoint client: a timeout that the transport tells is one") {
  EndpointFixture f;
  f.fetch();
  f.time.advance(10s);
  f.transport.fail(Kind::timed_out);
  CHECK(f.take() == "token_request_timeout");
  CHECK(f.exchanges == std::vector<std::string>{"timeout"});
}

TEST_CASE("endpoint client: an exchange that ends twice counts once") {
  EndpointFixture f;
  f.fetch();
  auto done = std::move(f.transport.under_way.front().done);
  done(std::unexpected(TransportError{.kind = Kind::unreachable, .detail = ""}));
  done(std::unexpected(TransportError{.kind = Kind::misconfigured, .detail = ""}));
  CHECK(f.take() == "waiting");
  CHECK(f.exchanges.size() == 1);
}

TEST_CASE("endpoint client: an unreadable secret is answered, but never from within the call") {
  EndpointFixture f;
  f.secret->text.reset();
  f.fetch();
  CHECK(f.take() == "waiting");
  f.time.advance(0s);
  CHECK(f.take() == "client_unavailable");
  CHECK(f.last_error.memory == Memory::none);
  CHECK(f.transport.requests == 0);
  CHECK(f.exchanges.empty());
}

TEST_CASE("endpoint client: each attempt is sent with the secret as it is then") {
  EndpointFixture f;
  f.fetch();
  const std::string first{f.transport.under_way.front().request.authorization.reveal()};
  f.transport.respond(503);
  f.secret->text = "rotated";
  f.time.advance(1s);
  CHECK(f.transport.under_way.front().request.authorization.reveal() != first);
}

TEST_CASE("endpoint client: an assertion is sent once, without the secret, whatever fails") {
  for (const int status : {503, 429, 200}) {
    EndpointFixture f;
    f.fetch_with_assertion("eyJ.e30.c2ln");
    const auto& request = f.transport.under_way.front().request;
    CHECK(request.body.reveal().find("client_assertion=eyJ.e30.c2ln") != std::string_view::npos);
    CHECK(request.authorization.empty());
    f.transport.respond(status);
    CHECK(f.take() != "waiting");
    f.time.advance(1min);
    CHECK(f.transport.requests == 1);
  }
}

TEST_CASE("endpoint client: an assertion needs no readable secret") {
  EndpointFixture f;
  f.secret->text.reset();
  f.fetch_with_assertion("eyJ.e30.c2ln");
  f.transport.respond(200, EndpointFixture::token);
  CHECK(f.take() == "s3cr3t-token 60");
}

TEST_CASE("endpoint client: requests under way are answered after the client is gone") {
  EndpointFixture f;
  f.fetch();
  f.fetch();
  f.client.reset();
  f.transport.respond(503);
  f.time.advance(1s);
  f.transport.respond(200, EndpointFixture::token);
  CHECK(f.take() == "s3cr3t-token 60");
  f.transport.respond(200, EndpointFixture::token);
  CHECK(f.take() == "s3cr3t-token 60");
  CHECK(f.flights->under_way.empty());
}

TEST_CASE("endpoint client: a caller may end the client from within its answer") {
  EndpointFixture f;
  f.client->fetch({}, [&f](auto) { f.client.reset(); });
  f.transport.respond(200, EndpointFixture::token);
  CHECK(f.client == nullptr);
}

TEST_CASE("endpoint client: when all is torn down requests under way are dropped") {
  auto f = std::make_unique<EndpointFixture>();
  auto held = std::make_shared<int>(0);
  f->client->fetch({}, [held](auto) {});
  auto done = std::move(f->transport.under_way.front().done);
  f.reset();
  CHECK(held.use_count() == 1);
  done(std::unexpected(TransportError{.kind = Kind::unreachable, .detail = ""}));
}

TEST_CASE("endpoint client: tells whether the credentials changed") {
  EndpointFixture f;
  CHECK_FALSE(f.client->credentials_changed());
  f.secret->is_changed = true;
  CHECK(f.client->credentials_changed());
}

TEST_CASE(
    "endpoint client: credentials that somebody else has read already are still others than the last "
    "request's") {
  EndpointFixture f;
  f.fetch();
  f.transport.respond(401, R"({"error":"invalid_client"})");
  CHECK_FALSE(f.client->credentials_changed());
  f.secret->text = "another";  // and its file was looked at
  CHECK(f.client->credentials_changed());
  f.fetch();
  CHECK_FALSE(f.client->credentials_changed());
}

TEST_CASE("endpoint client: the log tells of each request, and nothing that is secret") {
  EndpointFixture f;
  f.fetch();
  f.transport.respond(503);
  f.time.advance(1s);
  f.transport.respond(200, EndpointFixture::token);
  CHECK(f.log.has("<7>event=token_request_attempt client=a attempt=1 result=http_error status=503"));
  CHECK(f.log.has("<6>event=token_fetched client=a scope=x expires_in=60 attempts=2 duration_ms=1000"));
  f.fetch();
  f.transport.respond(
      401, R"({"error":"invalid_client","error_description":"no: id:s3cr3t and d29ya2VyOnMzY3IzdA=="})");
  CHECK(f.log.has("<4>event=token_request_failed client=a scope=x code=token_request_rejected attempts=1"));
  CHECK(f.log.has("oauth_error=invalid_client"));
  f.fetch_with_assertion("eyJ.s3cr3t-assertion.c2ln");
  f.transport.respond(400, R"({"error":"invalid_client","error_description":"eyJ.s3cr3t-assertion.c2ln"})");
  CHECK(f.last_error.error.oauth_error_description.find("withheld") != std::string::npos);
  f.fetch();
  f.transport.respond(400, R"({"error":"x","error_description":"got d29ya2VyOnMzY3IzdA=="})");
  CHECK(f.last_error.error.oauth_error_description.find("withheld") != std::string::npos);
  CHECK_FALSE(f.log.has("s3cr3t"));
  CHECK_FALSE(f.log.has("d29ya2VyOnMzY3IzdA"));
  CHECK_FALSE(f.log.has("query"));
}
