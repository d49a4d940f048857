#pragma once

#include "config/credential_judge.hpp"

namespace grantd::daemon {

/// Says what keeps a client from proving itself with the keys, secrets and certificates as they are on this
/// machine. Reads files, sends nothing. Any thread.
config::CredentialJudge credential_judge();

}  // namespace grantd::daemon
