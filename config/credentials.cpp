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

constexpr std::string_view secret_sources[] = {"client_secret", "client_secret_file",
                                               "client_secret_credential", "client_secret_env"};
// Whoever uses one of these does without a secret; each of them says itself that it is not supported yet.
constexpr std::string_view other_credentials[] = {"private_key_file", "private_key_credential",
                                                  "client_assertion_file", "tls_cert_file"};

constexpr Choice<AuthMethod> auth_methods[] = {
    {"client_secret_basic", AuthMethod::client_secret_basic},
    {"client_secret_post", AuthMethod::client_secret_post},
    {"client_secret_jwt", AuthMethod::client_secret_jwt},
    {"private_key_jwt", AuthMethod::private_key_jwt},
    {"tls_client_auth", AuthMethod::tls_client_auth},
    {"self_signed_tls_client_auth", AuthMethod::self_signed_tls_client_auth}};

constexpr Choice<AuthorizationHeaderStyle> header_styles[] = {{"rfc6749", AuthorizationHeaderStyle::rfc6749},
                                                              {"rfc2617", AuthorizationHeaderStyle::rfc2617}};

constexpr Choice<int> signing_algorithms[] = {
    {"RS256", 0}, {"RS384", 0}, {"RS512", 0}, {"PS256", 0}, {"PS384", 0}, {"PS512", 0}, {"ES256", 0},
    {"ES384", 0}, {"ES512", 0}, {"EdDSA", 0}, {"HS256", 0}, {"HS384", 0}, {"HS512", 0}};
constexpr Choice<int> proof_algorithms[] = {{"RS256", 0}, {"RS384", 0}, {"RS512", 0}, {"PS256", 0},
                                            {"PS384", 0}, {"PS512", 0}, {"ES256", 0}, {"ES384", 0},
                                            {"ES512", 0}, {"EdDSA", 0}};

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

std::vector<const Node*> given_secrets(const TableReader& reader) {
  std::vector<const Node*> given;
  for (const std::string_view key : secret_sources) {
    if (const Node* node = reader.find(key)) given.push_back(node);
  }
  std::ranges::sort(given, [](const Node* a, const Node* b) {
    return std::tie(a->key_position.line, a->key_position.column) <
           std::tie(b->key_position.line, b->key_position.column);
  });
  return given;
}

void read_secret(const TableReader& reader, ClientSettings& client) {
  const auto given = given_secrets(reader);
  for (std::size_t i = 1; i < given.size(); ++i) {
    reader.problems().add(given[i]->key_position, reader.path_of(given[i]->key),
                          "expected one source of the secret; " + given.front()->key + " in line " +
                              std::to_string(given.front()->key_position.line) + " is another");
  }
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
  const bool has_other = std::ranges::any_of(other_credentials, [&](auto key) { return reader.has(key); });
  if (given.empty() && !has_other) {
    reader.fail(
        "client_secret_file",
        "required: a client needs one of client_secret_file, client_secret_credential, client_secret_env and "
        "client_secret");
  }
}

void refuse_later_credentials(const TableReader& reader) {
  for (const std::string_view key :
       {"client_secret_next_file", "private_key_file", "private_key_passphrase_file", "certificate_file",
        "client_assertion_file", "dpop_key_file"}) {
    reader.value_not_supported(key, text(parse_absolute_path));
  }
  reader.value_not_supported("private_key_credential", text(parse_credential_name));
  reader.value_not_supported("dpop_key_credential", text(parse_credential_name));
  reader.value_not_supported("private_key_id", text(parse_printable));
  reader.value_not_supported("assertion_audience", text(parse_printable));
  reader.value_not_supported("signing_alg", one_of(signing_algorithms));
  reader.value_not_supported("dpop_alg", one_of(proof_algorithms));
  reader.value_not_supported("dpop", boolean);
}

}  // namespace

void read_credentials(const TableReader& reader, ClientSettings& client) {
  read_secret(reader, client);
  refuse_later_credentials(reader);
  reader.into(client.authorization_header_style, "authorization_header_style", one_of(header_styles));
  constexpr std::string_view method_key = "token_endpoint_auth_method";
  reader.into(client.auth_method, method_key, one_of(auth_methods));
  if (client.auth_method != AuthMethod::client_secret_basic &&
      client.auth_method != AuthMethod::client_secret_post) {
    reader.fail(method_key,
                "this method is not supported yet by this version of grantd; client_secret_basic and "
                "client_secret_post "
                "are");
  }
}

}  // namespace grantd::config
