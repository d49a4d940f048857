// The one part of the schema whose values are secrets themselves: an inline secret is never copied into a
// plain string, and it is only taken from a file that keeps it.
#include "config/credentials.hpp"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <tuple>

#include "common/ascii.hpp"
#include "config/accounts.hpp"
#include "config/source_file.hpp"
#include "config/values.hpp"

namespace grantd::config {

namespace {

constexpr const char* service_group = "grantd";

constexpr std::string_view method_key = "token_endpoint_auth_method";

constexpr std::string_view secret_keys[] = {"client_secret", "client_secret_file", "client_secret_credential",
                                            "client_secret_env"};
constexpr std::string_view private_key_keys[] = {"private_key_file", "private_key_credential"};
constexpr std::string_view dpop_key_keys[] = {"dpop_key_file", "dpop_key_credential"};
constexpr std::string_view assertion_file_keys[] = {"client_assertion_file"};

template <class Enum>
constexpr Choice<Enum> by_name(Enum value) {
  return {name(value), value};
}

constexpr Choice<AuthMethod> auth_methods[] = {
    by_name(AuthMethod::client_secret_basic), by_name(AuthMethod::client_secret_post),
    by_name(AuthMethod::client_secret_jwt),   by_name(AuthMethod::private_key_jwt),
    by_name(AuthMethod::tls_client_auth),     by_name(AuthMethod::self_signed_tls_client_auth)};

constexpr Choice<AuthorizationHeaderStyle> header_styles[] = {{"rfc6749", AuthorizationHeaderStyle::rfc6749},
                                                              {"rfc2617", AuthorizationHeaderStyle::rfc2617}};

constexpr Choice<SigningAlgorithm> signing_algorithms[] = {
    by_name(SigningAlgorithm::RS256), by_name(SigningAlgorithm::RS384), by_name(SigningAlgorithm::RS512),
    by_name(SigningAlgorithm::PS256), by_name(SigningAlgorithm::PS384), by_name(SigningAlgorithm::PS512),
    by_name(SigningAlgorithm::ES256), by_name(SigningAlgorithm::ES384), by_name(SigningAlgorithm::ES512),
    by_name(SigningAlgorithm::EdDSA), by_name(SigningAlgorithm::HS256), by_name(SigningAlgorithm::HS384),
    by_name(SigningAlgorithm::HS512)};
bool is_hmac(SigningAlgorithm algorithm) { return algorithm >= SigningAlgorithm::HS256; }

bool uses_secret(AuthMethod method) {
  return method == AuthMethod::client_secret_basic || method == AuthMethod::client_secret_post ||
         method == AuthMethod::client_secret_jwt;
}
bool uses_certificate(AuthMethod method) {
  return method == AuthMethod::tls_client_auth || method == AuthMethod::self_signed_tls_client_auth;
}

Parsed<SecretSource> inline_secret(const Node& node) {
  if (!node.is(Node::Kind::string)) return std::unexpected{type_mismatch("a string", node)};
  // What a file may hold, too, but for line breaks, which inline can only be a mistake.
  const auto text = node.text.reveal();
  if (text.empty() || std::ranges::any_of(text, ascii::is_control)) {
    return std::unexpected{"expected text without control characters, not empty"};
  }
  return InlineSource{.value = std::make_shared<const common::Secret>(node.text.clone())};
}

void check_exposure(const TableReader& reader, const Node& secret) {
  const FileAccess& access = secret.key_position.source->access;
  if (!exposed_to(access, ::getegid(), std::nullopt)) return;
  const auto whom = exposed_to(access, ::getegid(), find_group(service_group));
  if (!whom) return;
  reader.problems().add(secret.key_position, reader.path_of(secret.key),
                        "the file must keep an inline secret, but gives access to " + *whom +
                            "; chmod it to 0600, or to 0640 with group grantd, or use client_secret_file");
}

/// A problem for every one of `keys` but the first that is given: there is one source of a thing.
void expect_one_source(const TableReader& reader, std::span<const std::string_view> keys,
                       std::string_view thing) {
  std::vector<const Node*> given;
  for (const std::string_view key : keys) {
    if (const Node* node = reader.find(key)) given.push_back(node);
  }
  std::ranges::sort(given, [](const Node* a, const Node* b) {
    return std::tie(a->key_position.line, a->key_position.column) <
           std::tie(b->key_position.line, b->key_position.column);
  });
  for (std::size_t i = 1; i < given.size(); ++i) {
    reader.problems().add(given[i]->key_position, reader.path_of(given[i]->key),
                          "expected one source of the " + std::string{thing} + "; " + given.front()->key +
                              " in line " + std::to_string(given.front()->key_position.line) + " is another");
  }
}

bool has_any(const TableReader& reader, std::span<const std::string_view> keys) {
  return std::ranges::any_of(keys, [&](auto key) { return reader.has(key); });
}

void read_secret(const TableReader& reader, ClientSettings& client) {
  expect_one_source(reader, secret_keys, "secret");
  if (auto secret = reader.value("client_secret", inline_secret)) {
    client.client_secret = *std::move(secret);
    check_exposure(reader, *reader.find("client_secret"));
  }
  if (auto path = reader.value("client_secret_file", text(parse_absolute_path))) {
    client.client_secret = FileSource{.path = *std::move(path)};
  }
  if (auto name = reader.value("client_secret_credential", text(parse_credential_name))) {
    client.client_secret = CredentialSource{.name = *std::move(name)};
  }
  if (auto variable = reader.value("client_secret_env", text(parse_variable_name))) {
    client.client_secret = EnvironmentSource{.variable = *std::move(variable)};
  }
  client.client_secret_next_file = reader.value("client_secret_next_file", text(parse_absolute_path));
}

void read_private_key(const TableReader& reader, ClientSettings& client) {
  expect_one_source(reader, private_key_keys, "private key");
  if (auto path = reader.value("private_key_file", text(parse_absolute_path))) {
    client.private_key = FileSource{.path = *std::move(path)};
  }
  if (auto name = reader.value("private_key_credential", text(parse_credential_name))) {
    client.private_key = CredentialSource{.name = *std::move(name)};
  }
  client.private_key_passphrase_file = reader.value("private_key_passphrase_file", text(parse_absolute_path));
  client.certificate_file = reader.value("certificate_file", text(parse_absolute_path));
  reader.into(client.private_key_id, "private_key_id", text(parse_printable));
  client.client_assertion_file = reader.value("client_assertion_file", text(parse_absolute_path));
}

/// The method that the given credentials call for where none is named. Nothing: they call for several, or for
/// none.
std::optional<AuthMethod> method_by_keys(const TableReader& reader) {
  const bool secret = has_any(reader, secret_keys);
  const bool signs = has_any(reader, private_key_keys) || has_any(reader, assertion_file_keys);
  if (secret == signs) return std::nullopt;
  return secret ? AuthMethod::client_secret_basic : AuthMethod::private_key_jwt;
}

void expect_credentials(const TableReader& reader, AuthMethod method) {
  if (uses_secret(method) && !has_any(reader, secret_keys)) {
    reader.fail(
        "client_secret_file",
        "required: a client needs one of client_secret_file, client_secret_credential, client_secret_env and "
        "client_secret");
  }
  if (method == AuthMethod::private_key_jwt && !has_any(reader, private_key_keys) &&
      !has_any(reader, assertion_file_keys)) {
    reader.fail(
        "private_key_file",
        "required: private_key_jwt needs private_key_file, private_key_credential or client_assertion_file");
  }
  if (uses_certificate(method)) {
    for (const std::string_view key : {"tls_cert_file", "tls_key_file"}) {
      if (!reader.has(key)) reader.fail(key, "required: mutual TLS needs tls_cert_file and tls_key_file");
    }
  }
}

/// A problem for each of `keys` that is given although `needed` is not.
void refuse_without(const TableReader& reader, std::span<const std::string_view> keys, bool needed,
                    std::string_view what) {
  for (const std::string_view key : keys) {
    if (reader.has(key) && !needed) reader.fail(key, "of no use without " + std::string{what});
  }
}

void read_method(const TableReader& reader, ClientSettings& client) {
  const auto named = reader.value(method_key, one_of(auth_methods));
  const auto by_keys = method_by_keys(reader);
  if (!named && !reader.has(method_key) && !by_keys &&
      (has_any(reader, secret_keys) || reader.has("tls_cert_file"))) {
    return reader.fail(method_key, "required: the keys given leave open which method is meant");
  }
  if (reader.has(method_key) && !named) return;
  client.auth_method = named.value_or(by_keys.value_or(AuthMethod::client_secret_basic));
  expect_credentials(reader, client.auth_method);
}

void read_signing(const TableReader& reader, ClientSettings& client) {
  client.signing_alg = reader.value("signing_alg", one_of(signing_algorithms));
  reader.into(client.assertion_audience, "assertion_audience", text(parse_printable));
  const bool own_key = client.auth_method == AuthMethod::private_key_jwt && has_any(reader, private_key_keys);
  const bool by_secret = client.auth_method == AuthMethod::client_secret_jwt;
  constexpr std::string_view of_keys[] = {"private_key_passphrase_file", "private_key_id",
                                          "certificate_file"};
  refuse_without(reader, of_keys, own_key, "a private key that signs");
  constexpr std::string_view of_assertions[] = {"signing_alg", "assertion_audience"};
  refuse_without(reader, of_assertions, own_key || by_secret, "an assertion that grantd signs");
  constexpr std::string_view of_secrets[] = {"client_secret", "client_secret_file",
                                             "client_secret_credential", "client_secret_env",
                                             "client_secret_next_file"};
  refuse_without(reader, of_secrets, uses_secret(client.auth_method), "a method that uses a client secret");
  const bool uses_key = client.auth_method == AuthMethod::private_key_jwt;
  refuse_without(reader, private_key_keys, uses_key, "private_key_jwt");
  refuse_without(reader, assertion_file_keys, uses_key, "private_key_jwt");
  if (!client.signing_alg) return;
  const bool hmac = is_hmac(*client.signing_alg);
  if (own_key && hmac) reader.fail("signing_alg", "expected an algorithm for private keys, not an HMAC");
  if (by_secret && !hmac) reader.fail("signing_alg", "expected HS256, HS384 or HS512 with client_secret_jwt");
}

void read_dpop(const TableReader& reader, ClientSettings& client) {
  expect_one_source(reader, dpop_key_keys, "DPoP key");
  if (auto path = reader.value("dpop_key_file", text(parse_absolute_path))) {
    client.dpop_key = FileSource{.path = *std::move(path)};
  }
  if (auto name = reader.value("dpop_key_credential", text(parse_credential_name))) {
    client.dpop_key = CredentialSource{.name = *std::move(name)};
  }
  client.dpop_alg = reader.value("dpop_alg", one_of(signing_algorithms));
  if (client.dpop_alg && is_hmac(*client.dpop_alg)) {
    reader.fail("dpop_alg", "expected an algorithm for private keys, not an HMAC (RFC 9449 section 4.2)");
  }
  // Whoever names a key wants it used.
  client.dpop = has_any(reader, dpop_key_keys);
  reader.into(client.dpop, "dpop", boolean);
  refuse_without(reader, dpop_key_keys, client.dpop, "dpop = true");
  constexpr std::string_view alg[] = {"dpop_alg"};
  refuse_without(reader, alg, client.dpop, "dpop = true");
}

}  // namespace

void read_credentials(const TableReader& reader, ClientSettings& client) {
  read_secret(reader, client);
  read_private_key(reader, client);
  read_method(reader, client);
  read_signing(reader, client);
  reader.into(client.authorization_header_style, "authorization_header_style", one_of(header_styles));
  if (client.client_assertion_file && client.private_key) {
    reader.fail("client_assertion_file",
                "expected either a ready assertion or a private key to make one, not both");
  }
  read_dpop(reader, client);
}

}  // namespace grantd::config
