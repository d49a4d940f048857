// A state machine over pieces of any size, so that it can be tested and fuzzed without a socket, and so that
// a body goes from the receive buffer to its taker without another copy.
#include "client-lib/src/response_parser.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/syntax.hpp"

namespace grantd::detail {
namespace {

// A chunk size with its extensions, which are ignored.
constexpr std::size_t max_chunk_line = 256;

bool parse_chunk_size(std::string_view line, std::uint64_t& size) {
  const auto digits = line.substr(0, line.find_first_of("; \t"));
  const auto rest = line.substr(digits.size());
  if (digits.empty() || digits.size() > 15) return false;
  const auto* end = digits.data() + digits.size();
  const auto result = std::from_chars(digits.data(), end, size, 16);
  if (result.ec != std::errc{} || result.ptr != end) return false;
  const auto first = rest.find_first_not_of(" \t");
  return (first == std::string_view::npos || rest[first] == ';') && syntax::is_field_value(rest);
}

}  // namespace

ResponseParser::Step ResponseParser::feed(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (state_ == State::head) return feed_head(bytes);
  if (state_ != State::body) return {};
  if (head_.framing == BodyFraming::chunked) return feed_chunked(bytes);
  return feed_data(bytes);
}

void ResponseParser::end() {
  if (state_ == State::complete) return;
  const bool whole = state_ == State::body && head_.framing == BodyFraming::until_close;
  state_ = whole ? State::complete : State::failed;
}

ResponseParser::Step ResponseParser::feed_head(std::string_view bytes) {
  // The end may lie across the border of two pieces.
  const std::size_t before = text_.size();
  text_.append(bytes.substr(0, max_head + 1 - before));
  const auto end = text_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  if (end == std::string::npos) {
    if (text_.size() > max_head) state_ = State::failed;
    return {.consumed = text_.size() - before};
  }
  const std::size_t size = end + 4;
  heads_size_ += size;
  auto head = parse_response_head(std::string_view{text_}.substr(0, size), answers_head_request_);
  text_.clear();
  // An upgrade is never asked for, so a 101 is not an answer.
  if (!head || heads_size_ > max_head || head->status == 101) {
    state_ = State::failed;
  } else if (head->status >= 200) {
    head_ = std::move(*head);
    begin_body();
  }
  return {.consumed = size - before};
}

void ResponseParser::begin_body() {
  state_ = State::body;
  left_ = head_.size;
  const bool empty =
      head_.framing == BodyFraming::none || (head_.framing == BodyFraming::fixed && left_ == 0);
  if (empty) state_ = State::complete;
}

ResponseParser::Step ResponseParser::feed_data(std::string_view bytes) {
  if (head_.framing == BodyFraming::until_close) return {.consumed = bytes.size(), .body = bytes};
  const auto piece = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size())));
  left_ -= piece.size();
  if (left_ == 0) {
    if (head_.framing == BodyFraming::fixed) {
      state_ = State::complete;
    } else {
      chunk_ = Chunk::data_end;
    }
  }
  return {.consumed = piece.size(), .body = piece};
}

ResponseParser::Step ResponseParser::feed_chunked(std::string_view bytes) {
  if (chunk_ == Chunk::data) return feed_data(bytes);
  const std::size_t limit = chunk_ == Chunk::trailer     ? max_head - std::min(heads_size_, max_head)
                            : chunk_ == Chunk::size_line ? max_chunk_line
                                                         : 0;
  const std::size_t consumed = take_line(bytes, limit);
  if (text_.ends_with("\r\n")) {
    text_.resize(text_.size() - 2);
    end_of_line();
    text_.clear();
  }
  return {.consumed = consumed};
}

// Adds to the line what belongs to it. A line of more than `limit` characters, CRLF not counted, fails.
std::size_t ResponseParser::take_line(std::string_view bytes, std::size_t limit) {
  const auto newline = bytes.find('\n');
  const auto piece = bytes.substr(0, newline == std::string_view::npos ? bytes.size() : newline + 1);
  text_.append(piece.substr(0, limit + 3));
  const bool ended = text_.ends_with('\n');
  if (text_.size() > limit + 2 || (ended && !text_.ends_with("\r\n"))) {
    text_.clear();
    state_ = State::failed;
  }
  return piece.size();
}

void ResponseParser::end_of_line() {
  switch (chunk_) {
    case Chunk::size_line:
      if (!parse_chunk_size(text_, left_)) {
        state_ = State::failed;
      } else {
        chunk_ = left_ == 0 ? Chunk::trailer : Chunk::data;
      }
      break;
    case Chunk::data_end:
      chunk_ = Chunk::size_line;
      break;
    case Chunk::trailer:
      heads_size_ += text_.size() + 2;
      if (text_.empty()) {
        state_ = State::complete;
      } else if (!syntax::is_field_value(text_)) {
        state_ = State::failed;
      }
      break;
    case Chunk::data:
      std::unreachable();
  }
}

}  // namespace grantd::detail
