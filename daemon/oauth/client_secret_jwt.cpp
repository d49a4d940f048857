#include "daemon/oauth/client_secret_jwt.hpp"

#include "daemon/crypto/jws.hpp"
#include "daemon/oauth/client_assertion.hpp"

namespace grantd::daemon {

common::Result<ClientProof> ClientSecretJwt::prove(FormBody& form, const ProofOccasion& occasion) {
  const auto text = secret(occasion.alternative);
  if (!text) return std::unexpected(text.error());
  const auto algorithm = settings().signing_alg.value_or(config::SigningAlgorithm::HS256);
  if ((*text)->size() < least_secret(algorithm)) {
    return common::fail(common::ErrorCode::client_unavailable,
                        "the client's secret is shorter than the " + std::to_string(least_secret(algorithm)) +
                            " bytes that " + std::string{name(algorithm)} + " needs");
  }
  const std::string header = R"({"alg":")" + std::string{name(algorithm)} + R"(","typ":"JWT"})";
  ClientProof proof = send_client_assertion(
      form, settings().client_id,
      signed_jws(header, assertion_claims(settings().client_id, occasion), **text, algorithm));
  proof.confidential.push_back((*text)->clone());
  return proof;
}

}  // namespace grantd::daemon
