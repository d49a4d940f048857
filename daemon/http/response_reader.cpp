// cpp-httplib takes a 103 for the answer, drops bare line feeds, decodes percent signs in values, gives up on
// lines over 8 KiB and reads headers without end. So a response's head is collected here and held against the
// same strict rules as an API's, and the library sees one of ours.
#include "daemon/http/response_reader.hpp"

#include <algorithm>
#include <array>

namespace grantd::daemon {

namespace {

constexpr std::size_t longest_head = 64 * 1024;
constexpr std::size_t longest_response = 4 * 1024 * 1024;  // framing included; the body's own limit is lower
constexpr int most_informational = 16;

}  // namespace

ssize_t ResponseReader::read(std::span<char> into) {
  if (!head_done_ && !read_head()) return -1;
  if (begin_ == buffer_.size()) {
    buffer_.clear();
    begin_ = 0;
    const auto got = socket_.read(into);
    if (!got) return -1;
    total_ += *got;
    if (total_ > longest_response) {
      complain("its response is over 4 MiB");
      return -1;
    }
    return static_cast<ssize_t>(*got);
  }
  const std::size_t size = std::min(into.size(), buffer_.size() - begin_);
  std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_), size, into.begin());
  begin_ += size;
  return static_cast<ssize_t>(size);
}

bool ResponseReader::complain(std::string sentence) {
  complaint_ = std::move(sentence);
  return false;
}

bool ResponseReader::fill() {
  std::array<char, 8192> piece;
  const auto got = socket_.read(piece);
  if (!got || *got == 0) return false;
  total_ += *got;
  buffer_.insert(buffer_.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(*got));
  return true;
}

void ResponseReader::replace_head(const http1::ResponseHead& head, std::size_t size) {
  status_ = head.status;
  for (const http1::Field& field : head.fields) headers_.emplace_back(field.name, field.value);
  std::string own = "HTTP/1.1 200 OK\r\n";
  using Kind = http1::BodyLength::Kind;
  if (head.body.kind == Kind::chunked) {
    own += "Transfer-Encoding: chunked\r\n";
  } else if (head.body.kind != Kind::until_close) {
    own += "Content-Length: " + std::to_string(head.body.size) + "\r\n";
  }
  own += "\r\n";
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size));
  buffer_.insert(buffer_.begin(), own.begin(), own.end());
}

bool ResponseReader::read_head() {
  http1::ResponseHead head;
  for (int heads = 0; heads <= most_informational; ++heads) {
    std::optional<std::size_t> size;
    while (!(size = http1::head_size({buffer_.data(), buffer_.size()}))) {
      if (buffer_.size() > longest_head) return complain("its response head is over 64 KiB");
      if (!fill()) return false;
    }
    if (!http1::parse_response_head({buffer_.data(), *size}, method_, head))
      return complain("its response is not valid HTTP");
    if (head.status >= 200) {
      replace_head(head, *size);
      return head_done_ = true;
    }
    if (head.status == 101) return complain("it switched to a protocol that nobody asked for");
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(*size));
  }
  return complain("it sends informational responses without end");
}

}  // namespace grantd::daemon
