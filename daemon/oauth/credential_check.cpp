// A proof is made and thrown away: what a check finds is then what a request would have met.
#include "daemon/oauth/credential_check.hpp"

#include "daemon/crypto/sealing_keys.hpp"
#include "daemon/crypto/tls_context.hpp"
#include "daemon/oauth/client_authentication.hpp"
#include "daemon/oauth/dpop_key_source.hpp"

namespace grantd::daemon {

namespace {

class NoLog final : public common::Logger {
  void write(common::LogLevel, std::string_view, std::initializer_list<common::LogField>) override {}
};

class NoEntropy final : public common::Entropy {
  void fill(std::span<std::byte>) override {}
};

std::optional<std::string> judge_client(const config::ClientSettings& client) {
  NoLog log;
  NoEntropy entropy;
  const auto settings = std::make_shared<const config::ClientSettings>(client);
  const auto authentication = make_client_authentication(settings, log);
  for (std::size_t i = 0; i < authentication->alternatives(); ++i) {
    FormBody form;
    const auto proof = authentication->prove(
        form, {.audience = client.token_endpoint.text, .now = {}, .entropy = entropy, .alternative = i});
    if (!proof) return proof.error().detail;
  }
  return std::nullopt;
}

std::optional<std::string> judge_dpop_key(const config::ClientSettings& client) {
  NoLog log;
  const auto key = DpopKeySource{std::make_shared<const config::ClientSettings>(client), log}.current();
  return key ? std::nullopt : std::optional{key.error().detail};
}

std::optional<std::string> judge_cache_key(const config::CacheSettings& cache) {
  NoLog log;
  const auto text = make_secret_source(*cache.key, {.client = {}, .key = "key"}, log)->read();
  if (!text) return text.error().detail;
  const auto keys = parse_sealing_keys((*text)->reveal());
  return keys ? std::nullopt : std::optional{"the key file " + keys.error()};
}

std::optional<std::string> judge_certificate(const config::TlsSettings& tls) {
  const auto context = TlsContext::for_client("localhost", tls);
  return context ? std::nullopt : std::optional{context.error()};
}

}  // namespace

config::CredentialJudge credential_judge() {
  return {.client = judge_client,
          .dpop_key = judge_dpop_key,
          .cache_key = judge_cache_key,
          .certificate = judge_certificate};
}

}  // namespace grantd::daemon
