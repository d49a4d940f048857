#pragma once

#include "daemon/http1/body_decoder.hpp"

namespace grantd::daemon::http1 {

/// What `BodyDecoder::next` does, but with small pieces moved together in place: a body of chunks of one byte
/// must not cost a system call for each. Ends after a piece that is large enough to be passed on by itself.
std::expected<BodyDecoder::Piece, std::string_view> gather_body(BodyDecoder& decoder, std::span<char> input);

}  // namespace grantd::daemon::http1
