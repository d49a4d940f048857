#include "daemon/oauth/client_secret_post.hpp"

namespace grantd::daemon {

common::Result<ClientProof> ClientSecretPost::prove(FormBody& form, const ProofOccasion& occasion) {
  const auto text = secret(occasion.alternative);
  if (!text) return std::unexpected(text.error());
  form.add("client_id", settings().client_id);
  form.add("client_secret", (*text)->reveal());
  ClientProof proof;
  proof.confidential.push_back((*text)->clone());
  proof.confidential.push_back(form_encode((*text)->reveal()));
  return proof;
}

}  // namespace grantd::daemon
