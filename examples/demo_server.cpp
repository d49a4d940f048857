// An authorization server and two APIs that it protects, small enough to read: what grantd talks to in the
// demo. It prints a line for everything that happens, so that a reader sees which token is used where.
// Loopback only, and not for anything but looking at.
#include <httplib.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "token_desk.hpp"

namespace {

constexpr std::chrono::seconds token_lifetime{6};

int decode_base64_digit(char c) {
  static const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto place = digits.find(c);
  return place == std::string::npos ? -1 : static_cast<int>(place);
}

std::string decode_base64(const std::string& text) {
  std::string decoded;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    const int digit = decode_base64_digit(c);
    if (digit < 0) break;
    bits = (bits << 6) | static_cast<unsigned>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      decoded += static_cast<char>((bits >> count) & 0xff);
    }
  }
  return decoded;
}

struct Credentials {
  std::string id;
  std::string secret;
};

// RFC 6749 section 2.3.1: HTTP Basic, or the two in the body.
Credentials credentials_of(const httplib::Request& request) {
  const std::string header = request.get_header_value("Authorization");
  if (!header.starts_with("Basic ")) {
    return {request.get_param_value("client_id"), request.get_param_value("client_secret")};
  }
  const std::string pair = decode_base64(header.substr(6));
  const auto colon = pair.find(':');
  if (colon == std::string::npos) return {};
  return {pair.substr(0, colon), pair.substr(colon + 1)};
}

void answer_json(httplib::Response& response, int status, const nlohmann::json& body) {
  response.status = status;
  response.set_header("Cache-Control", "no-store");
  response.set_content(body.dump(), "application/json");
}

void serve_token(TokenDesk& desk, const httplib::Request& request, httplib::Response& response) {
  if (request.get_param_value("grant_type") != "client_credentials") {
    return answer_json(response, 400, {{"error", "unsupported_grant_type"}});
  }
  const Credentials client = credentials_of(request);
  const auto issued = desk.issue(client.id, client.secret, request.get_param_value("scope"));
  if (!issued) {
    std::printf("   [server] token endpoint: refused\n");
    return answer_json(response, 401, {{"error", "invalid_client"}});
  }
  std::printf("   [server] token endpoint: %s gets token #%d, good for %d seconds\n", client.id.c_str(),
              issued->number, static_cast<int>(issued->lifetime.count()));
  answer_json(response, 200,
              {{"access_token", issued->access_token},
               {"token_type", "Bearer"},
               {"expires_in", issued->lifetime.count()},
               {"scope", issued->scope}});
}

const char* text_of(TokenDesk::Verdict verdict) {
  switch (verdict) {
    case TokenDesk::Verdict::good:
      return "accepted";
    case TokenDesk::Verdict::unknown:
      return "refused, it is no token of ours";
    case TokenDesk::Verdict::expired:
      return "refused, it has expired";
    case TokenDesk::Verdict::revoked:
      return "refused, it was revoked";
    case TokenDesk::Verdict::scope_missing:
      return "refused, it lacks the scope";
  }
  return "refused";
}

// Guards an API: answers itself where the token will not do (RFC 6750 section 3).
bool admit(const TokenDesk& desk, const std::string& scope, const httplib::Request& request,
           httplib::Response& response) {
  const std::string header = request.get_header_value("Authorization");
  const auto judgement =
      header.starts_with("Bearer ") ? desk.judge(header.substr(7), scope) : TokenDesk::Judgement{};
  std::printf("   [server] %s API: token #%d %s\n", scope.c_str(), judgement.number,
              text_of(judgement.verdict));
  if (judgement.verdict == TokenDesk::Verdict::good) return true;
  const bool forbidden = judgement.verdict == TokenDesk::Verdict::scope_missing;
  const std::string error = forbidden ? "insufficient_scope" : "invalid_token";
  response.set_header("WWW-Authenticate", "Bearer error=\"" + error + "\"");
  answer_json(response, forbidden ? 403 : 401, {{"error", error}});
  return false;
}

// Asks a running demo server to revoke its tokens.
int ask_to_revoke(const std::string& address) {
  httplib::Client client{"http://" + address};
  const auto response = client.Post("/demo/revoke");
  return response && response->status == 204 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view{argv[1]} == "--revoke") return ask_to_revoke(argv[2]);
  if (argc != 2) {
    std::fprintf(stderr, "usage: demo-server ADDRESS_FILE\n       demo-server --revoke ADDRESS\n");
    return 64;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  TokenDesk desk{token_lifetime};
  httplib::Server server;
  server.Post("/token", [&](const httplib::Request& request, httplib::Response& response) {
    serve_token(desk, request, response);
  });
  server.Get("/catalog/products", [&](const httplib::Request& request, httplib::Response& response) {
    if (!admit(desk, "catalog", request, response)) return;
    answer_json(response, 200, {{"products", {"anchor", "bell", "compass"}}});
  });
  server.Get("/invoices/test", [&](const httplib::Request& request, httplib::Response& response) {
    if (!admit(desk, "invoices", request, response)) return;
    answer_json(response, 200, {{"invoice", "test"}, {"total", 42}});
  });
  server.Post("/demo/revoke", [&](const httplib::Request&, httplib::Response& response) {
    desk.revoke_all();
    std::printf("   [server] every token issued so far is now revoked\n");
    response.status = 204;
  });
  const int port = server.bind_to_any_port("127.0.0.1");
  if (port <= 0) {
    std::fprintf(stderr, "demo-server: no loopback port could be had\n");
    return 1;
  }
  std::ofstream{argv[1]} << "127.0.0.1:" << port << '\n';
  return server.listen_after_bind() ? 0 : 1;
}
