// The one place that knows which method is made of which settings.
#include "daemon/oauth/client_authentication.hpp"

#include <utility>

#include "daemon/oauth/client_assertion_file.hpp"
#include "daemon/oauth/client_secret_basic.hpp"
#include "daemon/oauth/client_secret_jwt.hpp"
#include "daemon/oauth/client_secret_post.hpp"
#include "daemon/oauth/private_key_jwt.hpp"
#include "daemon/oauth/tls_client_auth.hpp"
#include "daemon/secrets/secret_source.hpp"

namespace grantd::daemon {

namespace {

using config::AuthMethod;
using Settings = std::shared_ptr<const config::ClientSettings>;

std::shared_ptr<SecretSource> file_source(const std::optional<std::filesystem::path>& path,
                                          std::string_view key, const config::ClientSettings& settings,
                                          common::Logger& log) {
  if (!path) return nullptr;
  return make_secret_source(config::FileSource{.path = *path}, {.client = settings.name, .key = key}, log);
}

template <class Method>
std::unique_ptr<ClientAuthentication> with_secret(Settings settings, common::Logger& log) {
  auto secret =
      make_secret_source(*settings->client_secret, {.client = settings->name, .key = "client_secret"}, log);
  auto next = file_source(settings->client_secret_next_file, "client_secret_next", *settings, log);
  return std::make_unique<Method>(std::move(settings), std::move(secret), std::move(next));
}

std::unique_ptr<ClientAuthentication> with_private_key(Settings settings, common::Logger& log) {
  SigningSources sources{
      .key =
          make_secret_source(*settings->private_key, {.client = settings->name, .key = "private_key"}, log),
      .passphrase =
          file_source(settings->private_key_passphrase_file, "private_key_passphrase", *settings, log),
      .certificate = file_source(settings->certificate_file, "certificate", *settings, log)};
  return std::make_unique<PrivateKeyJwt>(std::move(settings), std::move(sources), log);
}

}  // namespace

std::unique_ptr<ClientAuthentication> make_client_authentication(Settings settings, common::Logger& log) {
  if (settings->client_assertion_file) {
    auto assertion = file_source(settings->client_assertion_file, "client_assertion", *settings, log);
    return std::make_unique<ClientAssertionFile>(std::move(settings), std::move(assertion));
  }
  switch (settings->auth_method) {
    case AuthMethod::client_secret_post:
      return with_secret<ClientSecretPost>(std::move(settings), log);
    case AuthMethod::client_secret_jwt:
      return with_secret<ClientSecretJwt>(std::move(settings), log);
    case AuthMethod::private_key_jwt:
      return with_private_key(std::move(settings), log);
    case AuthMethod::tls_client_auth:
    case AuthMethod::self_signed_tls_client_auth: {
      auto certificate = file_source(settings->tls.cert_file, "tls_cert", *settings, log);
      auto key = file_source(settings->tls.key_file, "tls_key", *settings, log);
      return std::make_unique<TlsClientAuth>(std::move(settings), std::move(certificate), std::move(key));
    }
    case AuthMethod::client_secret_basic:
      break;
  }
  return with_secret<ClientSecretBasic>(std::move(settings), log);
}

}  // namespace grantd::daemon
