#include "token_desk.hpp"

#include <random>

namespace {

struct Registration {
  std::string secret;
  std::string scope;
};

// The two clients of the worker documentation. Their secrets stand in examples/grantd.toml too.
const std::map<std::string, Registration> registrations{
    {"catalog.client", {.secret = "catalog-demo-secret", .scope = "catalog"}},
    {"invoice.client", {.secret = "invoice-demo-secret", .scope = "invoices"}},
};

std::string random_token() {
  static constexpr char digits[] = "0123456789abcdef";
  std::random_device random;
  std::string token(40, '0');
  for (char& digit : token) digit = digits[random() % 16];
  return token;
}

}  // namespace

std::optional<TokenDesk::Issued> TokenDesk::issue(const std::string& client_id,
                                                  const std::string& client_secret,
                                                  const std::string& scope) {
  const auto client = registrations.find(client_id);
  if (client == registrations.end() || client->second.secret != client_secret) return std::nullopt;
  if (!scope.empty() && scope != client->second.scope) return std::nullopt;
  const std::lock_guard lock{mutex_};
  const int number = static_cast<int>(tokens_.size()) + 1;
  Issued issued{
      .access_token = random_token(), .number = number, .scope = client->second.scope, .lifetime = lifetime_};
  tokens_[issued.access_token] = {
      .number = number, .scope = issued.scope, .expires = std::chrono::steady_clock::now() + lifetime_};
  return issued;
}

TokenDesk::Judgement TokenDesk::judge(const std::string& access_token, const std::string& scope) const {
  const std::lock_guard lock{mutex_};
  const auto found = tokens_.find(access_token);
  if (found == tokens_.end()) return {};
  const Entry& token = found->second;
  Verdict verdict = Verdict::good;
  if (token.revoked) {
    verdict = Verdict::revoked;
  } else if (std::chrono::steady_clock::now() >= token.expires) {
    verdict = Verdict::expired;
  } else if (token.scope != scope) {
    verdict = Verdict::scope_missing;
  }
  return {.verdict = verdict, .number = token.number};
}

void TokenDesk::revoke_all() {
  const std::lock_guard lock{mutex_};
  for (auto& [_, token] : tokens_) token.revoked = true;
}
