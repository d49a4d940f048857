#include <doctest/doctest.h>

#include <ostream>
#include <utility>

#include "client-lib/src/token_call.hpp"
#include "grantd/token.hpp"

using grantd::Token;
using grantd::TokenRequest;

namespace {

Token sample() {
  return Token{Token::Parts{.value = "abc",
                            .scope = "read",
                            .version = "v1",
                            .expires_at = std::chrono::sys_days{} + std::chrono::hours{1}}};
}

template <class T>
concept Printable = requires(std::ostream& out, const T& value) { out << value; };

std::string json_of(const TokenRequest& request) {
  return std::string{grantd::detail::token_request("/x", request).json.reveal()};
}

}  // namespace

TEST_CASE("token: has its parts, and the header they make") {
  const Token token = sample();
  CHECK(token.value() == "abc");
  CHECK(token.type() == "Bearer");
  CHECK(token.scope() == "read");
  CHECK(token.version() == "v1");
  CHECK(token.authorization() == "Bearer abc");
  CHECK(token.expires_at() == std::chrono::sys_days{} + std::chrono::hours{1});
}

TEST_CASE("token: copies are independent, what was moved from is empty") {
  Token first = sample();
  Token copy = first;
  Token moved = std::move(first);
  CHECK(first.value().empty());          // NOLINT(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
  CHECK(first.authorization().empty());  // NOLINT(bugprone-use-after-move)
  moved = Token{};
  CHECK(moved.authorization().empty());
  CHECK(copy.value() == "abc");
  copy = *&copy;
  CHECK(copy.value() == "abc");
}

TEST_CASE("token: cannot be printed by accident") { static_assert(!Printable<Token>); }

TEST_CASE("token request: without wishes nothing is sent but the name") {
  const auto request = grantd::detail::token_request("/x", {});
  CHECK(request.method == "GET");
  CHECK(request.json.empty());
}

TEST_CASE("token request: wishes become members of the local API") {
  CHECK(json_of({.force_renewal = true, .scope = "a b"}) == R"({"scope":"a b","force_renewal":true})");
  CHECK(json_of({.resource = {"urn:a", "urn:b"},
                 .audience = "c",
                 .parameters = {{"p", "\""}, {"q", ""}},
                 .assertion = "d",
                 .min_valid = std::chrono::seconds{0},
                 .rejected = "v1"}) ==
        R"({"resource":["urn:a","urn:b"],"audience":"c","parameters":{"p":"\"","q":""},"assertion":"d",)"
        R"("min_valid":0,"rejected":"v1"})");
}
