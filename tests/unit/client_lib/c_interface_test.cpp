#include <doctest/doctest.h>
#include <grantd/grantd.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/unit/client_lib/c_caller.h"
#include "tests/unit/client_lib/scripted_daemon.hpp"

using grantd::tests::answering;
using grantd::tests::http_answer;
using grantd::tests::problem_answer;
using grantd::tests::ReceivedRequest;
using grantd::tests::token_answer;

namespace {

/// Frees what the interface gives.
struct Free {
  void operator()(grantd_client* client) const { grantd_client_free(client); }
  void operator()(grantd_token* token) const { grantd_token_free(token); }
  void operator()(grantd_response* response) const { grantd_response_free(response); }
  void operator()(grantd_error* error) const { grantd_error_free(error); }
  void operator()(char* string) const { grantd_string_free(string); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

struct CallerInC {
  explicit CallerInC(grantd::tests::ScriptedDaemon::Script script)
      : socket(directory / "socket"), daemon(socket, std::move(script)) {
    grantd_client_options options = GRANTD_CLIENT_OPTIONS_INIT;
    options.socket = socket.c_str();
    options.timeout_ms = 10'000;
    grantd_client* made = nullptr;
    REQUIRE(grantd_client_new(&options, &made, nullptr) == GRANTD_OK);
    client.reset(made);
  }

  grantd_status get(const grantd_token_request* request = nullptr, const char* name = "c") {
    grantd_token* got = nullptr;
    grantd_error* failed = nullptr;
    const auto status = grantd_get_access_token(client.get(), name, request, &got, &failed);
    token.reset(got);
    error.reset(failed);
    return status;
  }
  grantd_status send(const grantd_request& request, const char* api = "a") {
    grantd_response* got = nullptr;
    grantd_error* failed = nullptr;
    const auto status = grantd_send(client.get(), api, &request, &got, &failed);
    response.reset(got);
    error.reset(failed);
    return status;
  }

  grantd::tests::TemporaryDirectory directory;
  std::string socket;
  grantd::tests::ScriptedDaemon daemon;
  Owned<grantd_client> client{};
  Owned<grantd_token> token{};
  Owned<grantd_response> response{};
  Owned<grantd_error> error{};
};

const auto any_request = answering([](const ReceivedRequest&) { return token_answer(); });

}  // namespace

TEST_CASE("C interface: a C99 program gets a token, and what it wishes travels as JSON") {
  CallerInC f(answering([](const ReceivedRequest& request) {
    CHECK(
        request.body ==
        R"({"scope":"a b","resource":["urn:a","urn:b"],"parameters":{"k":"v"},"min_valid":30,"rejected":"v0"})");
    return token_answer();
  }));
  CHECK(c_caller_gets_a_token(f.socket.c_str()) == 0);
}

TEST_CASE("C interface: every code of the daemon is a status of its own") {
  std::vector<grantd_status> seen;
  for (int value = GRANTD_DAEMON_UNREACHABLE; value <= GRANTD_INVALID_CONFIGURATION; ++value) {
    const std::string name = grantd_status_name(static_cast<grantd_status>(value));
    CallerInC f(answering([&](const ReceivedRequest&) { return problem_answer(500, name); }));
    CHECK(f.get() == value);
    CHECK(f.token == nullptr);
    REQUIRE(f.error);
    CHECK(grantd_error_status(f.error.get()) == value);
    CHECK(grantd_error_code(f.error.get()) == name);
  }
  CHECK(std::string{grantd_status_name(static_cast<grantd_status>(31))} == "other");
}

TEST_CASE("C interface: a code that is not known yet is told in words") {
  CallerInC f(answering([](const ReceivedRequest&) { return problem_answer(418, "a_code_of_tomorrow"); }));
  CHECK(f.get() == GRANTD_OTHER);
  CHECK(std::string{grantd_error_code(f.error.get())} == "a_code_of_tomorrow");
  CHECK(grantd_error_http_status(f.error.get()) == 418);
  CHECK(grantd_error_retry_after(f.error.get()) == -1);
  CHECK(std::string{grantd_error_oauth_error(f.error.get())}.empty());
}

TEST_CASE("C interface: an error tells all that is known of it") {
  CallerInC f(answering([](const ReceivedRequest&) {
    return problem_answer(502, "token_request_rejected",
                          R"(,"oauth_error":"invalid_scope","oauth_error_description":"no","retry_after":7)");
  }));
  CHECK(f.get() == GRANTD_TOKEN_REQUEST_REJECTED);
  CHECK(std::string{grantd_error_oauth_error(f.error.get())} == "invalid_scope");
  CHECK(std::string{grantd_error_oauth_error_description(f.error.get())} == "no");
  CHECK(grantd_error_retry_after(f.error.get()) == 7);
  CHECK(std::string{grantd_error_message(f.error.get())} == "what went wrong: invalid_scope, no");
}

TEST_CASE("C interface: who does not want the error need not take it, and success leaves none") {
  CallerInC f(any_request);
  grantd_token* token = nullptr;
  CHECK(grantd_get_access_token(f.client.get(), "..", nullptr, &token, nullptr) == GRANTD_INVALID_REQUEST);
  CHECK(grantd_get_access_token(nullptr, "c", nullptr, &token, nullptr) == GRANTD_INVALID_REQUEST);
  CHECK(grantd_evict(nullptr, "c", nullptr, nullptr) == GRANTD_INVALID_REQUEST);
  CHECK(token == nullptr);
  auto* error = reinterpret_cast<grantd_error*>(&f);
  REQUIRE(grantd_get_access_token(f.client.get(), "c", nullptr, &token, &error) == GRANTD_OK);
  CHECK(error == nullptr);
  grantd_token_free(token);
  grantd_token_free(nullptr);
  grantd_client_free(nullptr);
  grantd_response_free(nullptr);
  grantd_error_free(nullptr);
  grantd_string_free(nullptr);
}

TEST_CASE("C interface: what cannot be asked is refused") {
  CallerInC f(any_request);
  grantd_token_request request = GRANTD_TOKEN_REQUEST_INIT;
  CHECK(f.get(nullptr, nullptr) == GRANTD_INVALID_REQUEST);
  request.resource_count = 1;
  CHECK(f.get(&request) == GRANTD_INVALID_REQUEST);
  request = GRANTD_TOKEN_REQUEST_INIT;
  request.parameter_count = 1;
  CHECK(f.get(&request) == GRANTD_INVALID_REQUEST);
  CHECK(f.send(grantd_request GRANTD_REQUEST_INIT, "a/b") == GRANTD_INVALID_REQUEST);
  grantd_token* token = nullptr;
  CHECK(grantd_get_access_token(nullptr, "c", nullptr, &token, nullptr) == GRANTD_INVALID_REQUEST);
  grantd_client_options options = GRANTD_CLIENT_OPTIONS_INIT;
  options.timeout_ms = -1;
  grantd_client* client = nullptr;
  CHECK(grantd_client_new(&options, &client, nullptr) == GRANTD_INVALID_REQUEST);
  CHECK(client == nullptr);
}

TEST_CASE("C interface: a structure of a later version is taken where it asks for nothing new") {
  CallerInC f(any_request);
  struct {
    grantd_token_request known = GRANTD_TOKEN_REQUEST_INIT;
    std::uint64_t new_member = 0;
  } later;
  later.known.size = sizeof later;
  CHECK(f.get(&later.known) == GRANTD_OK);
  later.new_member = 1;
  CHECK(f.get(&later.known) == GRANTD_INVALID_REQUEST);
  later.known.size = 0;
  CHECK(f.get(&later.known) == GRANTD_INVALID_REQUEST);
}

TEST_CASE("C interface: a request goes through the daemon with everything it has, and so does its response") {
  CallerInC f(answering([](const ReceivedRequest& request) {
    CHECK(request.method() == "POST");
    CHECK(request.target() == "/v1/proxy/a/things?x=1");
    CHECK(request.has("X-Own: 1"));
    CHECK(request.has("Content-Type: text/plain"));
    CHECK(request.has("Grantd-Scope: narrow"));
    CHECK(request.body == std::string("b\0dy", 4));
    return http_answer(404, std::string_view("n\0ne", 4), "X-One: 1\r\nx-two: 2\r\nX-TWO: 3\r\n");
  }));
  const grantd_pair headers[] = {{.name = "X-Own", .value = "1"}};
  grantd_token_request token = GRANTD_TOKEN_REQUEST_INIT;
  token.scope = "narrow";
  grantd_request request = GRANTD_REQUEST_INIT;
  request.method = "POST";
  request.path = "things?x=1";
  request.headers = headers;
  request.header_count = 1;
  request.body = "b\0dy";
  request.body_size = 4;
  request.content_type = "text/plain";
  request.token = &token;
  REQUIRE(f.send(request) == GRANTD_OK);
  const grantd_response* response = f.response.get();
  CHECK(grantd_response_status(response) == 404);
  std::size_t length = 0;
  const char* body = grantd_response_body(response, &length);
  CHECK(std::string(body, length) == std::string("n\0ne", 4));
  CHECK(body[length] == '\0');
  CHECK(std::string{grantd_response_header(response, "X-Two")} == "2");
  CHECK(grantd_response_header(response, "X-Three") == nullptr);
  std::string all;
  for (std::size_t i = 0; i < grantd_response_header_count(response); ++i) {
    const grantd_pair header = grantd_response_header_at(response, i);
    all += std::string{header.name} + "=" + header.value + ";";
  }
  CHECK(all.find("X-One=1;x-two=2;X-TWO=3;") != std::string::npos);
  CHECK(grantd_response_header_at(response, 99).name == nullptr);
}

TEST_CASE("C interface: eviction and proofs") {
  CallerInC f(answering([](const ReceivedRequest& request) -> std::string {
    if (request.method() == "DELETE") {
      CHECK(request.target() == "/v1/tokens/c?scope=a%20b");
      return "HTTP/1.1 204 No Content\r\n\r\n";
    }
    if (request.target() != "/v1/dpop/c") return token_answer();
    CHECK(request.body == R"({"method":"GET","url":"https://api","version":"v1","nonce":"n"})");
    return http_answer(200, R"({"dpop":"a proof"})");
  }));
  grantd_token_request which = GRANTD_TOKEN_REQUEST_INIT;
  which.scope = "a b";
  CHECK(grantd_evict(f.client.get(), "c", &which, nullptr) == GRANTD_OK);
  REQUIRE(f.get() == GRANTD_OK);
  char* made = nullptr;
  REQUIRE(grantd_dpop_proof(f.client.get(), "c", "GET", "https://api", f.token.get(), "n", &made, nullptr) ==
          GRANTD_OK);
  const Owned<char> proof{made};
  CHECK(std::string{proof.get()} == "a proof");
}
