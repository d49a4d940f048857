#include "daemon/oauth/token_request.hpp"

#include <doctest/doctest.h>

#include "daemon/oauth/client_secret_basic.hpp"
#include "daemon/oauth/form_body.hpp"

using grantd::common::Secret;
using grantd::config::AuthorizationHeaderStyle;
using grantd::config::ClientSettings;
using grantd::daemon::basic_credentials;
using grantd::daemon::form_encode;
using grantd::daemon::HttpRequest;
using grantd::daemon::token_form;
using grantd::daemon::token_request;
using grantd::daemon::Variant;

namespace {

std::string encoded(std::string_view text) { return std::string{form_encode(text).reveal()}; }

std::string body(const HttpRequest& request) { return std::string{request.body.reveal()}; }

ClientSettings worker() {
  ClientSettings client;
  client.name = "a";
  client.token_endpoint = {
      .text = "https://as.example/token", .host = "as.example", .path = "/token", .query = ""};
  client.client_id = "worker";
  return client;
}

std::string header(const HttpRequest& request, std::string_view name) {
  std::string values;
  for (const auto& [key, value] : request.headers) {
    if (key == name) values += values.empty() ? value : "," + value;
  }
  return values;
}

}  // namespace

TEST_CASE("form encoding: the example of RFC 6749 appendix B") {
  CHECK(encoded(" %&+\xc2\xa3\xe2\x82\xac") == "+%25%26%2B%C2%A3%E2%82%AC");
}

TEST_CASE("form encoding: letters, digits and *-._~ stay, every other byte does not") {
  CHECK(encoded("azAZ09*-._~") == "azAZ09*-._~");
  CHECK(encoded(":/?#[]@!$'(),;=\"\\<>`{|}^") ==
        "%3A%2F%3F%23%5B%5D%40%21%24%27%28%29%2C%3B%3D%22%5C%3C%3E%60%7B%7C%7D%5E");
  CHECK(encoded(std::string_view{"\0\r\n\x7f\xff", 5}) == "%00%0D%0A%7F%FF");
  CHECK(encoded("") == "");
}

TEST_CASE("client_secret_basic: id and secret are form-encoded before they are joined") {
  // "a%3Ab:+%2B%25%C3%A9"
  CHECK(basic_credentials("a:b", Secret{" +%\xc3\xa9"}, AuthorizationHeaderStyle::rfc6749).reveal() ==
        "Basic YSUzQWI6KyUyQiUyNSVDMyVBOQ==");
  // The example of RFC 6749 section 2.3.1.
  CHECK(basic_credentials("s6BhdRkqt3", Secret{"7Fjfp0ZBr1KtDRbnfVdmIw"}, AuthorizationHeaderStyle::rfc6749)
            .reveal() == "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3");
}

TEST_CASE("client_secret_basic: the style rfc2617 leaves id and secret as they are") {
  CHECK(basic_credentials("Aladdin", Secret{"open sesame"}, AuthorizationHeaderStyle::rfc2617).reveal() ==
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

TEST_CASE("token request: asks for nothing that the definition does not name") {
  const auto request = token_request(worker().token_endpoint, worker().headers, token_form(Variant{}),
                                     Secret{"Basic d29ya2Vy"});
  CHECK(request.method == "POST");
  CHECK(request.url.text == "https://as.example/token");
  CHECK(request.content_type == "application/x-www-form-urlencoded");
  CHECK(body(request) == "grant_type=client_credentials");
  CHECK(request.authorization.reveal() == "Basic d29ya2Vy");
}

TEST_CASE("token request: scope in one member, resource repeated, audience, parameters") {
  const Variant variant{.scope = {"read", "write"},
                        .resource = {"https://x.example/r", "urn:y"},
                        .audience = "urn:aud",
                        .parameters = {{"realm", "x y"}, {"tenant", "a&b"}}};
  CHECK(body(token_request(worker().token_endpoint, worker().headers, token_form(variant), {})) ==
        "grant_type=client_credentials&scope=read+write&resource=https%3A%2F%2Fx.example%2Fr&resource=urn%3Ay"
        "&audience=urn%3Aaud&realm=x+y&tenant=a%26b");
}

TEST_CASE("token request: configured headers are sent, and Accept unless the definition has its own") {
  auto client = worker();
  client.headers = {{"X-Tenant", "blue"}};
  auto request = token_request(client.token_endpoint, client.headers, token_form({}), {});
  CHECK(header(request, "X-Tenant") == "blue");
  CHECK(header(request, "Accept") == "application/json");
  client.headers = {{"accept", "application/vnd.example+json"}};
  request = token_request(client.token_endpoint, client.headers, token_form({}), {});
  CHECK(header(request, "Accept").empty());
  CHECK(header(request, "accept") == "application/vnd.example+json");
}
