// Head and in-memory body leave in one system call; a streamed body never has more than one piece in memory.
#include "client-lib/src/outgoing_request.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <span>

#include "grantd/error.hpp"

namespace grantd::detail {
namespace {

constexpr std::size_t piece_size = std::size_t{64} * 1024;
constexpr std::size_t room_for_size = 18;  // 16 hexadecimal digits and CRLF
constexpr std::string_view last_chunk = "0\r\n\r\n";

iovec block(std::string_view text) {
  return {.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
}

// What was sent; -1 when nothing can be taken now, with errno as sendmsg leaves it.
ssize_t send_blocks(int fd, std::span<iovec> blocks) {
  msghdr message{};
  message.msg_iov = blocks.data();
  message.msg_iovlen = blocks.size();
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return sent;
}

}  // namespace

RequestSender::RequestSender(const OutgoingRequest& request) : request_(request) {}

bool RequestSender::send_some(int fd) {
  if (stage_ == Stage::source && unsent_.empty()) refill();
  if (done()) return true;
  const std::string_view head = request_.head.reveal();
  std::array<iovec, 2> blocks{};
  std::size_t count = 0;
  if (stage_ == Stage::source) {
    blocks[count++] = block(unsent_);
  } else {
    if (position_ < head.size()) blocks[count++] = block(head.substr(position_));
    const std::size_t in_body = position_ < head.size() ? 0 : position_ - head.size();
    if (in_body < request_.body.size()) blocks[count++] = block(request_.body.substr(in_body));
  }
  const ssize_t sent = send_blocks(fd, std::span{blocks}.first(count));
  if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
  const auto size = static_cast<std::size_t>(sent);
  began_ = began_ || size > 0;
  if (stage_ == Stage::source) {
    unsent_.remove_prefix(size);
    if (unsent_.empty() && source_ended_) stage_ = Stage::done;
  } else {
    position_ += size;
    if (position_ == head.size() + request_.body.size()) {
      stage_ = request_.source ? Stage::source : Stage::done;
    }
  }
  return true;
}

void RequestSender::refill() {
  if (!piece_) piece_ = std::make_unique_for_overwrite<char[]>(room_for_size + piece_size + 2);
  source_used_ = true;
  char* const data = piece_.get() + room_for_size;
  const std::size_t size = request_.source->read({data, piece_size});
  if (size > piece_size) throw Error("invalid_request", "the body source wrote beyond its buffer");
  from_source_ += size;
  source_ended_ = size == 0;
  if (const auto whole = request_.source->size) {
    if (from_source_ > *whole || (source_ended_ && from_source_ != *whole)) {
      throw Error("invalid_request", "the body source did not give as much as its size says");
    }
    unsent_ = {data, size};
    source_ended_ = from_source_ == *whole;
    if (unsent_.empty()) stage_ = Stage::done;
  } else if (source_ended_) {
    unsent_ = last_chunk;
  } else {
    // The size stands right before the data, so that a chunk is one block.
    std::array<char, room_for_size> line{};
    char* end = std::to_chars(line.data(), line.data() + 16, size, 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    const auto length = static_cast<std::size_t>(end - line.data());
    std::string_view{line.data(), length}.copy(data - length, length);
    data[size] = '\r';
    data[size + 1] = '\n';
    unsent_ = {data - length, length + size + 2};
  }
}

}  // namespace grantd::detail
