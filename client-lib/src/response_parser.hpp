#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "client-lib/src/response_head.hpp"

namespace grantd::detail {

/// Reads one HTTP/1.1 response out of the bytes of a connection as they come, in memory bounded by the head's
/// limit of 64 KiB. Interim responses (1xx) are skipped. Does no I/O.
class ResponseParser {
 public:
  enum class State {
    head,      // the head is not complete
    body,      // head() is valid; body pieces come
    complete,  // the response has ended as its framing says
    failed,    // what came is no HTTP response
  };
  struct Step {
    std::size_t consumed = 0;
    std::string_view body{};  // a piece of the body, a view into the bytes given; may be empty
  };

  static constexpr std::size_t max_head = std::size_t{64} * 1024;

  explicit ResponseParser(bool answers_head_request) : answers_head_request_(answers_head_request) {}

  /// Consumes some of `bytes`: up to the end of the head, of a body piece, or of the response. To be called
  /// again with the rest while something is left and the state is `head` or `body`.
  Step feed(std::string_view bytes);
  /// The connection has been closed: completes a body that lasts until then, and fails any other.
  void end();

  State state() const { return state_; }
  const ResponseHead& head() const { return head_; }

 private:
  enum class Chunk { size_line, data, data_end, trailer };

  Step feed_head(std::string_view bytes);
  Step feed_chunked(std::string_view bytes);
  Step feed_data(std::string_view bytes);
  std::size_t take_line(std::string_view bytes, std::size_t limit);
  void end_of_line();
  void begin_body();

  bool answers_head_request_;
  State state_ = State::head;
  ResponseHead head_;
  std::string text_;            // the head, or one line of the chunked framing, as far as it has come
  std::size_t heads_size_ = 0;  // of all heads, interim ones and trailers included
  std::uint64_t left_ = 0;      // of the fixed body or of the chunk
  Chunk chunk_ = Chunk::size_line;
};

}  // namespace grantd::detail
