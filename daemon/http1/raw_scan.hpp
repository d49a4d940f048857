#pragma once

#include <optional>
#include <string_view>

namespace grantd::daemon::http1 {

/// What is wrong with the bytes of a whole head, whatever they mean: bare CR or LF, control characters,
/// obs-fold, white space around a field's name. A sentence for people; nothing where all is well.
std::optional<std::string_view> find_malformed_line(std::string_view head);

}  // namespace grantd::daemon::http1
