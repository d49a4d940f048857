// RFC 6749 asks for form-encoding so that a colon in the id cannot be taken for the one between the two; many
// servers never decode it, which goes unnoticed until a secret has a character that matters.
#include "daemon/oauth/client_secret_basic.hpp"

#include "daemon/crypto/base64url.hpp"

namespace grantd::daemon {

common::Secret basic_credentials(std::string_view client_id, const common::Secret& secret,
                                 config::AuthorizationHeaderStyle style) {
  common::Secret pair;
  if (style == config::AuthorizationHeaderStyle::rfc6749) {
    pair = form_encode(client_id);
    pair.append(":");
    pair.append(form_encode(secret.reveal()).reveal());
  } else {
    pair = common::Secret{client_id};
    pair.append(":");
    pair.append(secret.reveal());
  }
  common::Secret value{"Basic "};
  value.append(base64_encode(pair.reveal()).reveal());
  return value;
}

common::Result<ClientProof> ClientSecretBasic::prove(FormBody& /*form*/, const ProofOccasion& occasion) {
  const auto text = secret(occasion.alternative);
  if (!text) return std::unexpected(text.error());
  ClientProof proof{.authorization = basic_credentials(settings().client_id, **text,
                                                       settings().authorization_header_style)};
  proof.confidential.push_back((*text)->clone());
  proof.confidential.push_back(form_encode((*text)->reveal()));
  proof.confidential.emplace_back(proof.authorization.reveal().substr(std::string_view{"Basic "}.size()));
  return proof;
}

}  // namespace grantd::daemon
