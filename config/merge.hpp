#pragma once

#include <vector>

#include "config/node.hpp"
#include "config/problems.hpp"

namespace grantd::config {

/// One tree of the trees of all files. `clients` and `apis` may be spread over files; any other table or key
/// that two files define is a problem that names both places, and the first one stays.
Node merge(std::vector<Node> documents, Problems& problems);

}  // namespace grantd::config
