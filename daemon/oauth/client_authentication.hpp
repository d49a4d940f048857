#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.hpp"
#include "common/entropy.hpp"
#include "common/error.hpp"
#include "common/log.hpp"
#include "common/secret.hpp"
#include "config/settings.hpp"
#include "daemon/oauth/form_body.hpp"

namespace grantd::daemon {

/// What a proof is made for, and of.
struct ProofOccasion {
  /// `aud` of an assertion where the configuration names none: the issuer if it is known, else the token
  /// endpoint.
  std::string audience;
  common::WallTime now;
  common::Entropy& entropy;
  /// 0: the credential that worked last; 1: the other one, where there is one.
  std::size_t alternative = 0;
};

/// What proves the client in one request, besides what was put into the form. Not for a second request: an
/// assertion is good for one.
struct ClientProof {
  /// Value of `Authorization`, empty: none.
  common::Secret authorization{};
  /// Every form in which something confidential goes to the server, so that no error repeats it.
  std::vector<common::Secret> confidential{};
};

/// How a client proves itself to the token endpoint: one implementation a method, each in a file of its name.
/// Reads its credentials anew when they changed. Loop thread only.
class ClientAuthentication {
 public:
  virtual ~ClientAuthentication() = default;

  /// Adds what the method sends in the form, `client_id` included. Error: `client_unavailable`, which file to
  /// mend.
  virtual common::Result<ClientProof> prove(FormBody& form, const ProofOccasion& occasion) = 0;
  /// Whether the next proof would be made of other credentials than the last.
  virtual bool changed() const = 0;
  /// How many credentials a server may be offered, one after the other.
  virtual std::size_t alternatives() const { return 1; }
  /// The server accepted the proof made with this alternative; it is the one to begin with from now on.
  virtual void accepted(std::size_t /*alternative*/) {}
  /// What tells these credentials from others, for comparison alone; nothing where they cannot be read.
  virtual std::optional<common::Secret> identity() = 0;
  /// The same for a comparison with those of other machines.
  virtual std::optional<common::Secret> shared_identity() { return identity(); }
};

/// The method that the definition names. `log` outlives it.
std::unique_ptr<ClientAuthentication> make_client_authentication(
    std::shared_ptr<const config::ClientSettings> settings, common::Logger& log);

}  // namespace grantd::daemon
