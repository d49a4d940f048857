// The head waits for the first bytes of the body if they are there already, so that a small response goes out
// in one write; it never waits for the API. All pieces of one read become one chunk, however the API cut
// them.
#include "daemon/proxy/response_relay.hpp"

#include <charconv>

#include "daemon/http1/gathered_body.hpp"

namespace grantd::daemon {
namespace {

constexpr std::size_t max_pieces = 64;
constexpr unsigned rounds_in_a_row = 8;
// Of a body below it, a pipe would cost more than it saves.
constexpr std::uint64_t worth_moving = std::uint64_t{256} * 1024;

asio::const_buffer text(std::string_view characters) {
  return asio::buffer(characters.data(), characters.size());
}

}  // namespace

ResponseRelay::ResponseRelay(Parts parts, std::string head, http1::BodyLength length, ResponseFraming framing)
    : parts_(parts),
      head_(std::move(head)),
      decoder_(length, http1::ChunkExtensions::ignored),
      framing_(framing) {}

bool ResponseRelay::decode() {
  pieces_.clear();
  decoded_ = 0;
  while (!decoder_.complete() && pieces_.size() < max_pieces) {
    const auto piece = http1::gather_body(decoder_, parts_.buffer.unused());
    if (!piece) return false;
    parts_.buffer.consume(piece->consumed);
    if (!piece->data.empty()) {
      pieces_.push_back(piece->data);
      decoded_ += piece->data.size();
    }
    if (piece->consumed == 0) break;
  }
  return true;
}

std::optional<bool> ResponseRelay::write_at_once(bool last) {
  outgoing_.clear();
  if (!head_.empty()) outgoing_.push_back(text(head_));
  const bool chunked = framing_.kind == ResponseFraming::Kind::chunked;
  if (chunked && decoded_ > 0) {
    char* const end = std::to_chars(chunk_line_, chunk_line_ + sizeof chunk_line_ - 2, decoded_, 16).ptr;
    end[0] = '\r';
    end[1] = '\n';
    outgoing_.push_back(text({chunk_line_, end + 2}));
  }
  for (const auto piece : pieces_) outgoing_.push_back(asio::buffer(piece.data(), piece.size()));
  if (chunked && decoded_ > 0) outgoing_.push_back(text("\r\n"));
  if (chunked && last) outgoing_.push_back(text("0\r\n\r\n"));
  std::size_t total = 0;
  for (const auto& piece : outgoing_) total += piece.size();
  if (total == 0) return true;
  const auto written = parts_.exchange.write_some(outgoing_);
  if (!written) return false;
  written_ = *written;
  if (written_ < total) return std::nullopt;
  head_.clear();
  return true;
}

awaitable<bool> ResponseRelay::write_rest() {
  const bool written = co_await parts_.exchange.write_rest(outgoing_, written_);
  head_.clear();
  co_return written;
}

// While the request is still being sent, an API may wait for the rest of it.
void ResponseRelay::await_api(std::chrono::milliseconds idle_timeout) {
  if (parts_.request.still_sends()) return;
  parts_.connection.set_read_deadline(parts_.timers.now() + idle_timeout);
}

awaitable<ResponseRelay::Filled> ResponseRelay::fill(std::chrono::milliseconds idle_timeout) {
  parts_.buffer.make_room();
  if (parts_.buffer.full()) co_return Filled::broken;
  auto read = parts_.connection.read_now(parts_.buffer.space());
  if (!read) {
    auto written = head_.empty() ? true : write_at_once(false);
    if (!written) written = co_await write_rest();
    if (!*written) co_return Filled::caller_gone;
    await_api(idle_timeout);
    read = co_await parts_.connection.read(parts_.buffer);
  } else if (read->kind == UpstreamConnection::Read::Kind::data) {
    parts_.buffer.filled(read->size);
  }
  switch (read->kind) {
    case UpstreamConnection::Read::Kind::data:
      co_return Filled::data;
    case UpstreamConnection::Read::Kind::end:
      co_return Filled::end;
    case UpstreamConnection::Read::Kind::broken:
      break;
  }
  co_return Filled::broken;
}

bool ResponseRelay::may_move() const {
  return moves_ && decoder_.fixed_left() >= worth_moving && framing_.kind == ResponseFraming::Kind::fixed &&
         head_.empty() && parts_.buffer.empty() && parts_.connection.can_move();
}

awaitable<bool> ResponseRelay::move(std::chrono::milliseconds idle_timeout) {
  moves_ = false;
  auto pipe = parts_.pipes.borrow();
  if (!pipe) co_return true;
  Pipe& through = **pipe;
  for (unsigned round = 1; decoder_.fixed_left() > 0; ++round) {
    if (round % rounds_in_a_row == 0) co_await OthersTurn{};
    auto read = parts_.connection.move_now(through, decoder_.fixed_left());
    if (!read) {
      await_api(idle_timeout);
      read = co_await parts_.connection.move(through, decoder_.fixed_left());
    }
    if (read->kind != UpstreamConnection::Read::Kind::data) break;
    decoder_.skip(read->size);
    const bool written = co_await parts_.exchange.write_from(through);
    if (!written) co_return false;
  }
  co_return true;
}

awaitable<ResponseRelay::End> ResponseRelay::run(std::chrono::milliseconds idle_timeout) {
  for (unsigned round = 1;; ++round) {
    // Between a fast API and a fast caller nothing ever waits; the others get their turn all the same.
    if (round % rounds_in_a_row == 0) co_await OthersTurn{};
    bool sound = decode();
    bool complete = decoder_.complete();
    if (sound && decoded_ == 0 && !complete) {
      if (may_move()) {
        const bool moved = co_await move(idle_timeout);
        if (!moved) co_return End::caller_gone;
        continue;
      }
      const Filled filled = co_await fill(idle_timeout);
      if (filled == Filled::data) continue;
      if (filled == Filled::caller_gone) co_return End::caller_gone;
      complete = filled == Filled::end && decoder_.may_end_here();
      sound = complete;
    }
    // What came before a break is the caller's all the same; it just never sees an end.
    auto written = write_at_once(sound && complete);
    if (!written) written = co_await write_rest();
    if (!*written) co_return End::caller_gone;
    if (!sound) co_return End::broken;
    if (complete) co_return End::complete;
  }
}

}  // namespace grantd::daemon
