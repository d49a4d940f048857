#pragma once

#include <openssl/ssl.h>
#include <signal.h>

#include <filesystem>
#include <memory>
#include <string>

namespace grantd::tests {

/// A self-signed certificate for one name or address, made on the spot, and the server's context that uses
/// it. Its file is removed at the end.
class TestCertificate {
 public:
  /// `subject_alternative_name` as OpenSSL writes it, e.g. "IP:127.0.0.1".
  explicit TestCertificate(const std::string& subject_alternative_name);
  ~TestCertificate();
  TestCertificate(const TestCertificate&) = delete;
  TestCertificate& operator=(const TestCertificate&) = delete;

  /// PEM, good as a `tls_ca_file`.
  const std::filesystem::path& file() const { return file_; }
  SSL_CTX* server() const { return server_; }

 private:
  std::filesystem::path file_;
  SSL_CTX* server_;
};

/// The API's side of one TLS connection on a blocking socket, which stays the caller's.
class TlsApiConnection {
 public:
  TlsApiConnection(const TestCertificate& certificate, int socket);
  ~TlsApiConnection() { SSL_free(ssl_); }
  TlsApiConnection(const TlsApiConnection&) = delete;
  TlsApiConnection& operator=(const TlsApiConnection&) = delete;

  bool accepted() const { return accepted_; }
  bool resumed() const { return SSL_session_reused(ssl_) == 1; }
  /// "" where the client named none.
  std::string server_name() const;
  std::string protocol() const;
  /// A head and the body that its Content-Length announces; empty when the connection ended.
  std::string read_message();
  /// What came until it ends with `end`, or the connection ended.
  std::string read_to_end(std::string_view end);
  /// At least so many bytes after the head.
  void read_until_size(std::size_t size);
  bool send(std::string_view bytes);
  void send_close() { SSL_shutdown(ssl_); }

 private:
  bool fill();
  SSL* ssl_;
  bool accepted_ = false;
  std::string input_;
};

/// The scripts' side of OpenSSL writes with write(2).
struct NoSigpipe {
  NoSigpipe() { ::signal(SIGPIPE, SIG_IGN); }
  ~NoSigpipe() { ::signal(SIGPIPE, SIG_DFL); }
};

}  // namespace grantd::tests
