#pragma once

#include "grantd/client.hpp"

namespace grantd::detail {

/// What the library itself needs of a Client.
struct ClientParts {
  static Connector& connector(const Client& client) { return *client.connector_; }
};

}  // namespace grantd::detail
