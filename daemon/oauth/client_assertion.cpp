// RFC 7521 section 4.2 makes client_id optional beside an assertion, but servers look the client up by it
// before they read the assertion, and one that does not need it checks that the two agree.
#include "daemon/oauth/client_assertion.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "daemon/crypto/base64url.hpp"

namespace grantd::daemon {

std::string assertion_claims(std::string_view client_id, const ProofOccasion& occasion) {
  std::array<std::byte, 16> unique{};
  occasion.entropy.fill(unique);
  const auto now = std::chrono::floor<std::chrono::seconds>(occasion.now.time_since_epoch());
  const nlohmann::json claims{{"iss", client_id},         {"sub", client_id},
                              {"aud", occasion.audience}, {"jti", base64url_encode(unique)},
                              {"iat", now.count()},       {"exp", (now + assertion_lifetime).count()}};
  return claims.dump();
}

ClientProof send_client_assertion(FormBody& form, std::string_view client_id, common::Secret assertion) {
  form.add("client_id", client_id);
  form.add("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
  form.add("client_assertion", assertion.reveal());
  ClientProof proof;
  proof.confidential.push_back(std::move(assertion));
  return proof;
}

}  // namespace grantd::daemon
