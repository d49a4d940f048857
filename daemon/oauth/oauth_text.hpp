#pragma once

#include <span>
#include <string>
#include <string_view>

namespace grantd::daemon {

/// What a server wrote, reduced to the characters that RFC 6749 section 5.2 allows in `error` and
/// `error_description` (printable ASCII without `"` and `\`), at most 512 of them. A line break or tab
/// becomes a space, a quotation mark an apostrophe, anything else a question mark. Where the text repeats one
/// of `confidential`, a fixed sentence takes its place.
std::string reduce_server_text(std::string_view text, std::span<const std::string_view> confidential);

/// The scope of a response, reduced to RFC 6749 section 3.3: scope tokens with a space between them, at most
/// 16384 characters. Empty where it repeats one of `confidential`.
std::string reduce_scope(std::string_view text, std::span<const std::string_view> confidential);

}  // namespace grantd::daemon
