#include <doctest/doctest.h>

#include <atomic>
#include <fstream>
#include <string>

#include "tests/unit/cli/run_program.hpp"

using grantd::tests::answering;
using grantd::tests::grantctl;
using grantd::tests::grantctl_beside;
using grantd::tests::http_answer;
using grantd::tests::problem_answer;
using grantd::tests::ReceivedRequest;
using grantd::tests::token_answer;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string token(const ReceivedRequest&) { return token_answer(); }

}  // namespace

TEST_CASE("grantctl token: prints the token alone, the header, or the whole answer") {
  const auto plain = grantctl_beside(token, {"token", "c"});
  CHECK(plain.exit_status == 0);
  CHECK(plain.out == "secret-token\n");
  CHECK(plain.err.empty());
  CHECK(grantctl_beside(token, {"token", "c", "--header"}).out == "Authorization: Bearer secret-token\n");
  const auto json = grantctl_beside(token, {"token", "c", "--json"});
  CHECK(json.out.starts_with(R"({"access_token":"secret-token",)"));
  CHECK(json.out.ends_with("}\n"));
}

TEST_CASE("grantctl token: options become wishes") {
  std::string body;
  const auto outcome = grantctl_beside(
      [&](const ReceivedRequest& request) {
        CHECK(request.target() == "/v1/tokens/c");
        body = request.body;
        return token_answer();
      },
      {"token", "--scope", "a b", "--resource", "urn:x", "--resource", "urn:y", "--audience", "z",
       "--min-valid", "0", "--force-renewal", "c"});
  CHECK(outcome.exit_status == 0);
  CHECK(body ==
        R"({"scope":"a b","resource":["urn:x","urn:y"],"audience":"z","min_valid":0,"force_renewal":true})");
}

TEST_CASE("grantctl: the socket is an option before or after the command, or a variable") {
  const grantd::tests::TemporaryDirectory directory;
  const std::string socket = directory / "socket";
  const grantd::tests::ScriptedDaemon daemon(socket, answering(token));
  CHECK(grantctl({"--socket", socket, "token", "c"}).exit_status == 0);
  CHECK(grantctl({"token", "c", "--socket", socket}).exit_status == 0);
  CHECK(grantctl({"token", "c"}, {}, {"GRANTD_SOCKET=" + socket}).exit_status == 0);
}

TEST_CASE("grantctl: the exit status tells scripts what kind of failure it was") {
  const auto status_for = [](int status, const std::string& code) {
    return grantctl_beside([&](const ReceivedRequest&) { return problem_answer(status, code); },
                           {"token", "c"})
        .exit_status;
  };
  CHECK(status_for(502, "token_request_rejected") == 1);
  CHECK(status_for(404, "unknown_client") == 1);
  CHECK(status_for(400, "invalid_request") == 1);
  CHECK(status_for(403, "access_denied") == 77);
  CHECK(grantctl({"--socket", "/nonexistent/socket", "token", "c"}).exit_status == 69);
  CHECK(grantctl({"--socket", std::string(200, 'x'), "token", "c"}).exit_status == 64);
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{},
                                             {"nonsense"},
                                             {"token"},
                                             {"token", "c", "--nonsense"},
                                             {"token", "c", "d"},
                                             {"token", "a/b"},
                                             {"token", "c", "--min-valid", "-1"},
                                             {"token", "c", "--min-valid", "x"},
                                             {"call", "a"},
                                             {"token", "c", "--json", "--header"},
                                             {"wait-ready", "--timeout", "soon"}}) {
    const auto outcome = grantctl(wrong);
    CHECK(outcome.exit_status == 64);
    CHECK(outcome.out.empty());
    CHECK(has(outcome.err, "grantctl: "));
  }
}

TEST_CASE("grantctl: errors are a sentence and a code on standard error, and cannot act on the terminal") {
  const auto outcome = grantctl_beside(
      [](const ReceivedRequest&) {
        return problem_answer(
            502, "token_request_rejected",
            R"(,"client":"c","oauth_error":"x","oauth_error_description":"\u009b2J \u001b[2J")");
      },
      {"token", "c"});
  CHECK(outcome.out.empty());
  CHECK(outcome.err == "grantctl: c: what went wrong: x, \\xc2\\x9b2J  [2J (token_request_rejected)\n");
}

TEST_CASE("grantctl: help and version are answers, not errors") {
  CHECK(grantctl({"--version"}).out == "grantctl " GRANTD_VERSION "\n");
  for (const std::string command : {"token", "call", "status", "evict", "reload", "wait-ready", "check"}) {
    const auto outcome = grantctl({command, "--help"});
    CHECK(outcome.exit_status == 0);
    CHECK(has(outcome.out, "--socket"));
    CHECK(has(grantctl({"--help"}).out, command));
  }
}

TEST_CASE("grantctl call: prints the body, and fails with the API's errors after printing them") {
  const auto good = grantctl_beside(
      [](const ReceivedRequest& request) {
        CHECK(request.method() == "GET");
        CHECK(request.target() == "/v1/proxy/invoices/test?a=b");
        CHECK(request.has("Accept: text/plain"));
        CHECK(request.has("X-Empty: "));
        return http_answer(200, std::string("raw \0 \x1b bytes", 13));
      },
      {"call", "-H", "Accept: text/plain", "-H", "X-Empty;", "invoices", "/test?a=b"});
  CHECK(good.exit_status == 0);
  CHECK(good.out == std::string("raw \0 \x1b bytes", 13));
  const auto bad = grantctl_beside([](const ReceivedRequest&) { return http_answer(404, "none"); },
                                   {"call", "invoices", "test"});
  CHECK(bad.exit_status == 1);
  CHECK(bad.out == "none");
}

TEST_CASE("grantctl call: -i shows the head first") {
  const auto outcome =
      grantctl_beside([](const ReceivedRequest&) { return http_answer(200, "body", "B: 2\r\nA: \x9b\r\n"); },
                      {"call", "invoices", "test", "-i"});
  CHECK(outcome.out == "HTTP/1.1 200 Reason\r\nB: 2\r\nA: \\x9b\r\nContent-Length: 4\r\n\r\nbody");
}

TEST_CASE("grantctl call: -d sends the text, a file or standard input") {
  const auto echo = [](const ReceivedRequest& request) {
    return http_answer(200,
                       request.method() + " " + request.body +
                           (request.has("Content-Type: application/x-www-form-urlencoded") ? " form" : ""));
  };
  CHECK(grantctl_beside(echo, {"call", "a", "x", "-d", "[1,2]"}).out == "POST [1,2] form");
  CHECK(grantctl_beside(echo, {"call", "a", "x", "-d", ""}).out == "POST  form");
  CHECK(grantctl_beside(echo, {"call", "a", "x", "-X", "PUT", "-H", "Content-Type: a/b", "-d", "@-"}, "input")
            .out == "PUT input");
  const grantd::tests::TemporaryDirectory directory;
  std::ofstream(directory / "file") << "from a file";
  CHECK(grantctl_beside(echo, {"call", "a", "x", "-d", "@" + (directory / "file").native()}).out ==
        "POST from a file form");
  CHECK(grantctl({"call", "a", "x", "-d", "@/nonexistent"}).exit_status == 64);
  CHECK(grantctl({"call", "a", "x", "-H", "no colon"}).exit_status == 64);
}

TEST_CASE("grantctl evict: drops the tokens") {
  const auto outcome = grantctl_beside(
      [](const ReceivedRequest& request) -> std::string {
        CHECK(request.method() == "DELETE");
        CHECK(request.target() == "/v1/tokens/c");
        return "HTTP/1.1 204 No Content\r\n\r\n";
      },
      {"evict", "c"});
  CHECK(outcome.exit_status == 0);
  CHECK(outcome.out.empty());
}

TEST_CASE("grantctl reload: shows what is wrong with the configuration, and fails with 78") {
  CHECK(grantctl_beside(
            [](const ReceivedRequest& request) -> std::string {
              CHECK(request.method() == "POST");
              CHECK(request.target() == "/v1/reload");
              return "HTTP/1.1 204 No Content\r\n\r\n";
            },
            {"reload"})
            .exit_status == 0);
  const auto refused = grantctl_beside(
      [](const ReceivedRequest&) {
        return problem_answer(422, "invalid_configuration",
                              R"(,"errors":[{"file":"/etc/x.toml","line":3,"column":1,"key":"daemon.sock",)"
                              R"("message":"unknown key"},7])");
      },
      {"reload"});
  CHECK(refused.exit_status == 78);
  CHECK(has(refused.err, "/etc/x.toml:3:1: daemon.sock: unknown key\n"));
  CHECK(has(refused.err, "(invalid_configuration)"));
}

TEST_CASE("grantctl wait-ready: asks until the daemon is ready") {
  std::atomic<int> asked = 0;
  const auto ready = grantctl_beside(
      [&](const ReceivedRequest& request) {
        CHECK(request.target() == "/readyz");
        return ++asked < 3 ? http_answer(503, "{}") : http_answer(200, "{}");
      },
      {"wait-ready"});
  CHECK(ready.exit_status == 0);
  CHECK(asked == 3);
}

TEST_CASE("grantctl wait-ready: tells a daemon that is not ready from one that is not there") {
  const auto waiting = grantctl_beside([](const ReceivedRequest&) { return http_answer(503, "{}"); },
                                       {"wait-ready", "--timeout", "0.2"});
  CHECK(waiting.exit_status == 1);
  CHECK(grantctl({"--socket", "/nonexistent/socket", "wait-ready", "--timeout", "0.2"}).exit_status == 69);
}

TEST_CASE("grantctl check: prints one error a line and exits with 78") {
  const grantd::tests::TemporaryDirectory directory;
  const std::string file = directory / "grantd.toml";
  std::ofstream(file) << "[daemon]\nsockett = \"/x\"\nlog_level = \"loud\"\n";
  const auto outcome = grantctl({"check", file});
  CHECK(outcome.exit_status == 78);
  CHECK(outcome.out.empty());
  CHECK(has(outcome.err, file + ":2:1: daemon.sockett: "));
  CHECK(has(outcome.err, file + ":3:"));
  CHECK(grantctl({"check", directory / "missing.toml"}).exit_status == 78);
  std::ofstream(file) << "[daemon]\nlog_level = \"info\"\n";
  CHECK(grantctl({"check", file}).exit_status == 0);
}

TEST_CASE("grantctl names: prints a name a line for the completion, and is not in the help") {
  const auto outcome = grantctl_beside(
      [](const ReceivedRequest& request) {
        CHECK(request.target() == "/v1/apis");
        return http_answer(200, R"({"apis":[{"name":"a.b","client":"c"},{"name":1},{"name":"d\u001b"}]})");
      },
      {"names", "apis"});
  CHECK(outcome.exit_status == 0);
  CHECK(outcome.out == "a.b\nd\\x1b\n");
  CHECK(!has(grantctl({"--help"}).out, "names "));
}

TEST_CASE("grantctl names: where nothing can be said it says nothing, and exits as others do") {
  for (const std::string body : {"[]", "{}", R"({"clients":{}})", R"({"clients":[7]})", "no JSON"}) {
    CAPTURE(body);
    const auto outcome =
        grantctl_beside([&](const ReceivedRequest&) { return http_answer(200, body); }, {"names", "clients"});
    CHECK(outcome.exit_status == 0);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.empty());
  }
  const auto unreachable = grantctl({"--socket", "/nonexistent/socket", "names", "clients"});
  CHECK(unreachable.exit_status == 69);
  CHECK(unreachable.err.empty());
  CHECK(grantctl({"names", "tokens"}).exit_status == 64);
}
