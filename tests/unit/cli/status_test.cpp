#include <doctest/doctest.h>

#include "cli/output.hpp"
#include "cli/status_table.hpp"
#include "tests/unit/cli/run_program.hpp"

using namespace grantd;
using tests::grantctl_beside;
using tests::http_answer;
using tests::ReceivedRequest;

namespace {

constexpr std::string_view clients = R"({"clients":[
  {"name":"catalog.client","state":"ready","scope":"catalog","expires_in":3600,"renews_in":59,"served":12,
   "fetched":2,"last_error":null},
  {"name":"b","state":"failing","scope":"","expires_in":null,"renews_in":null,"served":0,"fetched":0,
   "last_error":{"code":"token_request_rejected","detail":"d","oauth_error":"invalid_client"}}]})";

}  // namespace

TEST_CASE("grantctl status: a table with a line a definition, in columns") {
  CHECK(cli::status_table(clients) ==
        "CLIENT          STATE    SCOPE    EXPIRES IN  RENEWS IN  SERVED  FETCHED  LAST ERROR\n"
        "catalog.client  ready    catalog  1h          59s        12      2        -\n"
        "b               failing  -        -           -          0       0        "
        "token_request_rejected: invalid_client\n");
}

TEST_CASE("grantctl status: a line about the shared cache, where there is one") {
  const auto line = [](std::string_view shared) {
    const std::string table =
        cli::status_table(R"({"clients":[],"shared_cache":)" + std::string{shared} + "}");
    return table.substr(table.find('\n') + 1);
  };
  CHECK(line(R"({"state":"up","last_error":null})") == "\nshared cache: up\n");
  CHECK(line(R"({"state":"down","last_error":"no \u001b answer"})") ==
        "\nshared cache: down: no \\x1b answer\n");
}

TEST_CASE("grantctl status: what a server wrote cannot act on the terminal") {
  const std::string table =
      cli::status_table(R"({"clients":[{"name":"x\u001b[2J\n","scope":"é\u0085","state":5}]})");
  CHECK(table.find('\x1b') == std::string::npos);
  CHECK(table.find("x\\x1b[2J\\x0a") != std::string::npos);
  CHECK(table.find("é\\xc2\\x85") != std::string::npos);
}

TEST_CASE("grantctl status: an answer that is no list of clients is an error") {
  for (const std::string_view text : {"", "[]", "{}", R"({"clients":1})", "{\"clients\":[\"\xff\"]}"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(cli::status_table(text), Error);
  }
}

TEST_CASE("grantctl status: durations are rounded to what people read") {
  CHECK(cli::spoken_duration(0) == "0s");
  CHECK(cli::spoken_duration(725) == "12m 5s");
  CHECK(cli::spoken_duration(12000) == "3h 20m");
  CHECK(cli::spoken_duration(187200) == "2d 4h");
}

TEST_CASE("grantctl status: asks the daemon, and gives JSON where that is wanted") {
  const auto answer = [](const ReceivedRequest& request) {
    CHECK(request.target() == "/v1/clients");
    return http_answer(200, clients);
  };
  CHECK(grantctl_beside(answer, {"status"}).out == cli::status_table(clients));
  const auto json = grantctl_beside(answer, {"status", "--json"});
  CHECK(json.exit_status == 0);
  CHECK(json.out.find("\"expires_in\": 3600") != std::string::npos);
}

TEST_CASE("output: text is shown, what is not text is escaped") {
  CHECK(cli::printable("naïve €") == "naïve €");
  CHECK(cli::printable("a\tb\x7f") == "a\\x09b\\x7f");
  CHECK(cli::printable("\xff\xe2\x82") == "\\xff\\xe2\\x82");
}
