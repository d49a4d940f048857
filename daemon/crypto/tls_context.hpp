#pragma once

#include <sys/types.h>

#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/settings.hpp"

extern "C" {
struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;
struct bio_st;
struct x509_store_st;
}

namespace grantd::daemon {

class TlsStream;

/// A text that changes when another file is named, and when one of the files on disk is another than before.
std::string state_of_files(const config::TlsSettings& settings);

/// How connections to one server are secured: TLS 1.2 or later, the server's certificate checked against the
/// system's store or one CA file and against the name or address that was configured, `http/1.1` by ALPN,
/// this side's certificate where one is configured (RFC 8705). Remembers sessions, so that later connections
/// resume them. One thread at a time.
class TlsContext : public std::enable_shared_from_this<TlsContext> {
 public:
  /// `host` is a DNS name or a literal IP address. Error: a sentence that names the CA, certificate or key
  /// file and what is wrong with it.
  static std::expected<std::shared_ptr<TlsContext>, std::string> for_client(
      const std::string& host, const config::TlsSettings& settings);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// Reads from a socket: nothing, it would have to wait; 0 is its end; an error is negative.
  using Input = std::function<std::optional<ssize_t>(std::span<char>)>;
  /// A session over a connected, non-blocking socket, which stays the caller's. `input` is for who knows when
  /// there is nothing to read without asking the kernel; empty: recv. Null only if memory ran out.
  std::unique_ptr<TlsStream> connect(int socket, Input input = {});

 private:
  friend class TlsStream;
  struct FreeContext {
    void operator()(ssl_ctx_st* context) const;
  };
  struct FreeSession {
    void operator()(ssl_session_st* session) const;
  };
  using Session = std::unique_ptr<ssl_session_st, FreeSession>;

  TlsContext(const std::string& host, bool literal_address)
      : host_(host), literal_address_(literal_address) {}
  std::expected<void, std::string> use(const config::TlsSettings& settings);
  static int remember_session(ssl_st* ssl, ssl_session_st* session);

  std::unique_ptr<ssl_ctx_st, FreeContext> context_;
  std::shared_ptr<x509_store_st> trusted_;  // kept for those who come later
  std::string host_;
  bool literal_address_;
  std::vector<Session> sessions_;  // the newest last
};

/// One TLS session over a non-blocking socket. Nothing here waits: an operation that cannot go on says what
/// the socket must become. Never raises SIGPIPE. One thread at a time.
class TlsStream {
 public:
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  struct Progress {
    enum class Kind { done, want_read, want_write, closed, failed };
    Kind kind = Kind::failed;
    std::size_t size = 0;  // bytes read or written where done
  };
  Progress handshake();
  /// `closed` is the peer's close_notify; a connection that merely ends has `failed`.
  Progress read(std::span<char> into);
  /// Whether it has taken bytes from the socket that `read` has not used.
  bool holds_input() const;
  /// May take less than all. After want_read or want_write, call again with the same bytes (and possibly
  /// more).
  Progress write(std::span<const char> bytes);
  /// Says goodbye, as far as that is possible without waiting.
  void send_close();

  /// After a failed handshake: a sentence for people, e.g. that the certificate has expired.
  std::string failure() const;
  bool resumed() const;

 private:
  friend class TlsContext;
  struct FreeSsl {
    void operator()(ssl_st* ssl) const;
  };
  TlsStream(std::shared_ptr<TlsContext> context, int socket, TlsContext::Input input);
  Progress judge(int result, std::size_t size);

  std::shared_ptr<TlsContext> context_;
  struct Wire {
    int socket;
    TlsContext::Input input;
  };
  struct WireBio;
  Wire wire_;  // the BIO points here
  std::unique_ptr<ssl_st, FreeSsl> ssl_;
  unsigned long error_ = 0;  // of the first failure
  bool broken_ = false;
};

}  // namespace grantd::daemon
