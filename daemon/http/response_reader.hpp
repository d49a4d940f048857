#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/secret.hpp"
#include "daemon/http/message.hpp"
#include "daemon/http/timed_socket.hpp"
#include "daemon/http1/head.hpp"

namespace grantd::daemon {

/// Reads a response from a socket for a parser that is not strict. The head is taken apart here; what is
/// passed on begins with a head that says only how long the body is, once the whole head is there, was found
/// sound and belongs to a final response. It ends after so many bytes. For a worker's thread.
class ResponseReader {
 public:
  /// `method` is the request's; the socket outlives the reader.
  ResponseReader(TimedSocket& socket, std::string method) : socket_(socket), method_(std::move(method)) {}

  /// Like read(2): bytes read, 0 at the end, -1 for a failure.
  ssize_t read(std::span<char> into);

  /// What made `read` fail other than the connection: a sentence, empty where nothing did.
  const std::string& complaint() const { return complaint_; }

  /// Of the final response, after the first successful `read`.
  int status() const { return status_; }
  HttpHeaders take_headers() { return std::move(headers_); }

 private:
  bool fill();
  bool read_head();
  void replace_head(const http1::ResponseHead& head, std::size_t size);
  bool complain(std::string sentence);

  TimedSocket& socket_;
  const std::string method_;
  std::vector<char, common::WipingAllocator<char>> buffer_;
  std::size_t begin_ = 0;  // of what was not passed on yet
  std::size_t total_ = 0;
  bool head_done_ = false;
  int status_ = 0;
  HttpHeaders headers_;
  std::string complaint_;
};

}  // namespace grantd::daemon
