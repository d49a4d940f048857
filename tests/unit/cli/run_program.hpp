#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/client_lib/scripted_daemon.hpp"

namespace grantd::tests {

struct Outcome {
  int exit_status = -1;  // 128 and the signal's number where one ended it
  std::string out;
  std::string err;
};

/// Runs grantctl to its end. Its environment is empty but for `environment`, e.g. "GRANTD_SOCKET=/x".
Outcome grantctl(const std::vector<std::string>& arguments, std::string_view input = {},
                 const std::vector<std::string>& environment = {});

/// What grantctl says beside a daemon that answers every request with `answer`; --socket stands first.
Outcome grantctl_beside(std::function<std::string(const ReceivedRequest&)> answer,
                        std::vector<std::string> arguments, std::string_view input = {});

}  // namespace grantd::tests
