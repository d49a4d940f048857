#pragma once

#include <cstdint>
#include <span>

#include "common/error.hpp"
#include "daemon/http1/head.hpp"

namespace grantd::daemon::http1 {

/// What is made of chunk extensions (RFC 9112 section 7.1.1): in a request they are a way to smuggle, in a
/// response an old habit.
enum class ChunkExtensions { refused, ignored };

/// Takes the framing off a body, without copying: it gives views into its input. Strict: sizes with signs,
/// bare LF and trailers over 8 KiB are errors; trailer fields are dropped.
class BodyDecoder {
 public:
  explicit BodyDecoder(BodyLength length, ChunkExtensions extensions = ChunkExtensions::refused);

  struct Piece {
    std::size_t consumed = 0;      // bytes of the input that are done with, framing included
    std::span<const char> data{};  // part of the body, within the consumed input; may be empty before the end
    bool complete = false;         // the body ended within the consumed input
  };
  /// Decodes from the front of `input`; call again with what was not consumed followed by more. Nothing
  /// consumed and not complete means that more input is needed. The error is a sentence about what is wrong,
  /// and comes only where nothing can be decoded before it.
  std::expected<Piece, std::string_view> next(std::span<const char> input);
  bool complete() const;
  /// What is left of a body of known length; 0 for any other.
  std::uint64_t fixed_left() const { return state_ == State::fixed ? left_ : 0; }
  /// The next `size` bytes of it, at most `fixed_left`, went another way.
  void skip(std::uint64_t size);
  /// Whether the end of the connection here is the regular end of the body (`until_close` or already
  /// complete).
  bool may_end_here() const;

 private:
  enum class State { fixed, until_close, chunk_size, chunk_data, chunk_end, trailer, complete };
  // Each gives how many bytes it consumed; 0: more input is needed.
  std::expected<std::size_t, std::string_view> take_chunk_size(std::span<const char> input);
  std::expected<std::size_t, std::string_view> skip_extension(std::span<const char> input, std::size_t begin,
                                                              std::uint64_t size);
  std::expected<std::size_t, std::string_view> take_chunk_end(std::span<const char> input);
  std::expected<std::size_t, std::string_view> take_trailer_line(std::span<const char> input);

  State state_;
  ChunkExtensions extensions_;
  std::uint64_t left_ = 0;
  std::size_t trailer_size_ = 0;
};

}  // namespace grantd::daemon::http1
