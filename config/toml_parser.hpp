#pragma once

#include <optional>

#include "config/node.hpp"
#include "config/problems.hpp"
#include "config/source_file.hpp"

namespace grantd::config {

/// The tree of a file, with places. A text that is no TOML is one problem, and nothing comes back. The
/// problem names the place and the kind of mistake, never the text. `source` must outlive the tree.
std::optional<Node> parse_toml(const SourceFile& source, Problems& problems);

}  // namespace grantd::config
