#pragma once

#include "config/settings.hpp"
#include "config/table_reader.hpp"

namespace grantd::config {

/// How a client proves who it is: exactly one source of its secret, and the method. The keys of methods that
/// are to come are validated and refused.
void read_credentials(const TableReader& reader, ClientSettings& client);

}  // namespace grantd::config
