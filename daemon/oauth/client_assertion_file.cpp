#include "daemon/oauth/client_assertion_file.hpp"

#include <algorithm>
#include <utility>

#include "common/ascii.hpp"
#include "daemon/oauth/client_assertion.hpp"

namespace grantd::daemon {

ClientAssertionFile::ClientAssertionFile(std::shared_ptr<const config::ClientSettings> settings,
                                         std::shared_ptr<SecretSource> assertion)
    : settings_(std::move(settings)), assertion_(std::move(assertion)) {}

common::Result<ClientProof> ClientAssertionFile::prove(FormBody& form, const ProofOccasion& /*occasion*/) {
  const auto assertion = assertion_->read();
  if (!assertion) return std::unexpected(assertion.error());
  if (!std::ranges::all_of((*assertion)->reveal(), ascii::is_visible)) {
    return common::fail(common::ErrorCode::client_unavailable,
                        "client_assertion_file " + settings_->client_assertion_file->string() +
                            " holds something else than one JWT");
  }
  return send_client_assertion(form, settings_->client_id, (*assertion)->clone());
}

std::optional<common::Secret> ClientAssertionFile::identity() {
  return common::Secret{settings_->client_assertion_file->native()};
}

std::optional<common::Secret> ClientAssertionFile::shared_identity() {
  const auto assertion = assertion_->read();
  if (!assertion) return std::nullopt;
  return (*assertion)->clone();
}

}  // namespace grantd::daemon
