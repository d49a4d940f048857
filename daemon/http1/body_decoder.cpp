// The framing of chunked bodies is decoded here rather than by Beast, which accepts chunk
// extensions. All that is kept between pieces is a number: an unfinished line stays with the caller until it
// is whole, and the longest line that may be needed is bounded.
#include "daemon/http1/body_decoder.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "common/ascii.hpp"
#include "common/syntax.hpp"

namespace grantd::daemon::http1 {
namespace {

constexpr std::size_t longest_extension = 4096;
constexpr std::size_t most_size_digits = 16;  // what 64 bits hold
constexpr std::size_t largest_trailer = 8 * 1024;

bool is_good_trailer_line(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  return std::ranges::all_of(line.substr(0, colon), ascii::is_visible) && syntax::is_field_value(line);
}

}  // namespace

BodyDecoder::BodyDecoder(BodyLength length, ChunkExtensions extensions)
    : state_(State::complete), extensions_(extensions), left_(length.size) {
  using Kind = BodyLength::Kind;
  if (length.kind == Kind::fixed && length.size > 0) state_ = State::fixed;
  if (length.kind == Kind::until_close) state_ = State::until_close;
  if (length.kind == Kind::chunked) state_ = State::chunk_size;
}

bool BodyDecoder::complete() const { return state_ == State::complete; }

bool BodyDecoder::may_end_here() const { return state_ == State::until_close || state_ == State::complete; }

void BodyDecoder::skip(std::uint64_t size) {
  left_ -= size;
  if (left_ == 0) state_ = State::complete;
}

std::expected<BodyDecoder::Piece, std::string_view> BodyDecoder::next(std::span<const char> input) {
  Piece piece;
  while (state_ != State::complete) {
    const auto rest = input.subspan(piece.consumed);
    if (rest.empty() || (state_ == State::chunk_data && !piece.data.empty())) break;
    std::expected<std::size_t, std::string_view> taken;
    switch (state_) {
      case State::fixed:
      case State::chunk_data:
        piece.data = rest.first(static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size())));
        left_ -= piece.data.size();
        if (left_ == 0) state_ = state_ == State::fixed ? State::complete : State::chunk_end;
        taken = piece.data.size();
        break;
      case State::until_close:
        piece.data = rest;
        taken = rest.size();
        break;
      case State::chunk_size:
        taken = take_chunk_size(rest);
        break;
      case State::chunk_end:
        taken = take_chunk_end(rest);
        break;
      case State::trailer:
        taken = take_trailer_line(rest);
        break;
      case State::complete:
        break;
    }
    // What came before a mistake is part of the body; the mistake is still there the next time.
    if (!taken && piece.consumed == 0) return std::unexpected(taken.error());
    if (!taken || *taken == 0) break;
    piece.consumed += *taken;
  }
  piece.complete = state_ == State::complete;
  return piece;
}

std::expected<std::size_t, std::string_view> BodyDecoder::take_chunk_size(std::span<const char> input) {
  std::uint64_t size = 0;
  std::size_t digits = 0;
  while (digits < input.size() && ascii::hex_value(input[digits]) >= 0) {
    if (digits == most_size_digits) return std::unexpected("a chunk's size is too large");
    size = size * 16 + static_cast<std::uint64_t>(ascii::hex_value(input[digits]));
    ++digits;
  }
  if (digits == input.size()) return 0;
  if (digits == 0) return std::unexpected("a chunk's size is not a hexadecimal number");
  if (extensions_ == ChunkExtensions::ignored) return skip_extension(input, digits, size);
  if (input[digits] == ';') return std::unexpected("chunk extensions are not accepted");
  if (input[digits] != '\r') return std::unexpected("a chunk's size is not a hexadecimal number");
  if (digits + 1 == input.size()) return 0;
  if (input[digits + 1] != '\n') return std::unexpected("a chunk's size is not followed by CRLF");
  left_ = size;
  state_ = size == 0 ? State::trailer : State::chunk_data;
  return digits + 2;
}

// RFC 9112 section 7.1.1: a recipient ignores what it does not know; blanks before it are an old habit of
// servers.
std::expected<std::size_t, std::string_view> BodyDecoder::skip_extension(std::span<const char> input,
                                                                         std::size_t begin,
                                                                         std::uint64_t size) {
  const char first = input[begin];
  if (first != ';' && first != ' ' && first != '\t' && first != '\r') {
    return std::unexpected("a chunk's size is not a hexadecimal number");
  }
  const auto* end = static_cast<const char*>(std::memchr(input.data() + begin, '\n', input.size() - begin));
  const std::size_t length = end == nullptr ? input.size() : static_cast<std::size_t>(end - input.data()) + 1;
  if (length - begin > longest_extension) return std::unexpected("a chunk's extension is too long");
  if (end == nullptr) return 0;
  if (end == input.data() + begin || end[-1] != '\r')
    return std::unexpected("a chunk's size is not followed by CRLF");
  const std::string_view text{input.data() + begin, length - begin - 2};
  if (!syntax::is_field_value(text)) return std::unexpected("a chunk's extension has control characters");
  left_ = size;
  state_ = size == 0 ? State::trailer : State::chunk_data;
  return length;
}

std::expected<std::size_t, std::string_view> BodyDecoder::take_chunk_end(std::span<const char> input) {
  constexpr std::string_view not_crlf = "a chunk's data is not followed by CRLF";
  if (input[0] != '\r') return std::unexpected(not_crlf);
  if (input.size() == 1) return 0;
  if (input[1] != '\n') return std::unexpected(not_crlf);
  state_ = State::chunk_size;
  return 2;
}

std::expected<std::size_t, std::string_view> BodyDecoder::take_trailer_line(std::span<const char> input) {
  const auto* found = static_cast<const char*>(std::memchr(input.data(), '\n', input.size()));
  const std::size_t size =
      found == nullptr ? input.size() : static_cast<std::size_t>(found - input.data()) + 1;
  if (trailer_size_ + size > largest_trailer) return std::unexpected("the trailer is too large");
  if (found == nullptr) return 0;
  const std::string_view line{input.data(), size};
  if (!line.ends_with("\r\n")) return std::unexpected("a trailer line ends with a bare line feed");
  if (size == 2) {
    state_ = State::complete;
  } else if (!is_good_trailer_line(line.substr(0, size - 2))) {
    return std::unexpected("a trailer line is malformed");
  }
  trailer_size_ += size;
  return size;
}

}  // namespace grantd::daemon::http1
