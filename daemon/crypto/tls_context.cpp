// TLS is driven directly over the non-blocking socket instead of through a stream adaptor with buffers of its
// own: an operation is tried at once and only what would block waits, as with plain connections. The socket
// BIO is ours because OpenSSL's writes with write(2), which raises SIGPIPE.
#include "daemon/crypto/tls_context.hpp"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>

#include "daemon/crypto/file_state.hpp"
#include "daemon/crypto/trust_store.hpp"

namespace grantd::daemon {
namespace {

constexpr std::size_t max_sessions = 8;

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

std::optional<ssize_t> receive(int socket, std::span<char> into) {
  const ssize_t got = ::recv(socket, into.data(), into.size(), MSG_DONTWAIT);
  if (got < 0 && would_block()) return std::nullopt;
  return got;
}

long bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return 0;
}

bool is_literal_address(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

std::string reason_of(unsigned long error) {
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason != nullptr ? reason : "unknown reason";
}

std::unexpected<std::string> unusable(std::string_view key, const std::filesystem::path& file,
                                      std::string_view what_it_must_be) {
  return std::unexpected(std::string{key} + " " + file.string() + " cannot be used: " +
                         reason_of(ERR_peek_last_error()) + "; it must be " + std::string{what_it_must_be});
}

}  // namespace

/// The callbacks of the BIO over a Wire.
struct TlsStream::WireBio {
  static Wire& wire_of(BIO* bio) { return *static_cast<Wire*>(BIO_get_data(bio)); }

  static int write(BIO* bio, const char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    const ssize_t sent =
        ::send(wire_of(bio).socket, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && would_block()) BIO_set_retry_write(bio);
    return static_cast<int>(sent);
  }

  static int read(BIO* bio, char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    const Wire& wire = wire_of(bio);
    const std::span<char> into{bytes, static_cast<std::size_t>(size)};
    const auto got = wire.input ? wire.input(into) : receive(wire.socket, into);
    if (!got) BIO_set_retry_read(bio);
    if (got == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return static_cast<int>(got.value_or(-1));
  }

  static const BIO_METHOD* method() {
    static const BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
      BIO_meth_set_write(made, write);
      BIO_meth_set_read(made, read);
      BIO_meth_set_ctrl(made, bio_control);
      return made;
    }();
    return method;
  }

  static BIO* make(Wire& wire) {
    BIO* bio = BIO_new(method());
    if (bio == nullptr) return nullptr;
    BIO_set_data(bio, &wire);
    BIO_set_init(bio, 1);
    return bio;
  }
};

std::string state_of_files(const config::TlsSettings& settings) {
  std::string state;
  for (const auto& path : {settings.ca_file, settings.cert_file, settings.key_file}) {
    state.append("\n");
    if (path) state.append(state_of_file(*path));
  }
  return state;
}

void TlsContext::FreeContext::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }
void TlsContext::FreeSession::operator()(ssl_session_st* session) const { SSL_SESSION_free(session); }
void TlsStream::FreeSsl::operator()(ssl_st* ssl) const { SSL_free(ssl); }

std::expected<std::shared_ptr<TlsContext>, std::string> TlsContext::for_client(
    const std::string& host, const config::TlsSettings& settings) {
  // A trailing dot makes a name absolute for the resolver; certificates do not have it.
  const std::string name = host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
  std::shared_ptr<TlsContext> made{new TlsContext(name, is_literal_address(name))};
  ERR_clear_error();
  made->context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = made->context_.get();
  if (context == nullptr) return std::unexpected("TLS could not be set up: " + reason_of(ERR_get_error()));
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  // A record is then one read instead of one for its header and one for the rest.
  SSL_CTX_set_read_ahead(context, 1);
  static constexpr unsigned char protocols[] = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(context, protocols, sizeof protocols - 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_set_app_data(context, made.get());
  SSL_CTX_sess_set_new_cb(context, &TlsContext::remember_session);
  if (auto used = made->use(settings); !used) return std::unexpected(std::move(used.error()));
  return made;
}

std::expected<void, std::string> TlsContext::use(const config::TlsSettings& settings) {
  SSL_CTX* context = context_.get();
  auto trusted = trust_store(settings.ca_file);
  if (!trusted) return std::unexpected(std::move(trusted.error()));
  trusted_ = *std::move(trusted);
  SSL_CTX_set1_cert_store(context, trusted_.get());
  if (!settings.cert_file || !settings.key_file) return {};
  if (SSL_CTX_use_certificate_chain_file(context, settings.cert_file->c_str()) != 1) {
    return unusable("tls_cert_file", *settings.cert_file,
                    "a readable PEM file that begins with the certificate");
  }
  // An encrypted key must be an error; OpenSSL would ask the terminal for its passphrase.
  SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return -1; });
  if (SSL_CTX_use_PrivateKey_file(context, settings.key_file->c_str(), SSL_FILETYPE_PEM) != 1) {
    return unusable("tls_key_file", *settings.key_file,
                    "a readable PEM file with the private key of tls_cert_file, not encrypted");
  }
  return {};
}

TlsContext::~TlsContext() = default;

int TlsContext::remember_session(ssl_st* ssl, ssl_session_st* session) {
  auto* self = static_cast<TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  if (self->sessions_.size() >= max_sessions) self->sessions_.erase(self->sessions_.begin());
  self->sessions_.emplace_back(session);
  return 1;  // ours now
}

std::unique_ptr<TlsStream> TlsContext::connect(int socket, Input input) {
  ERR_clear_error();
  std::unique_ptr<TlsStream> stream{new TlsStream(shared_from_this(), socket, std::move(input))};
  SSL* const ssl = stream->ssl_.get();
  BIO* const bio = ssl != nullptr ? TlsStream::WireBio::make(stream->wire_) : nullptr;
  if (bio == nullptr) return nullptr;
  SSL_set_bio(ssl, bio, bio);
  SSL_set_connect_state(ssl);
  X509_VERIFY_PARAM* check = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(check, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  // A check that could not be set up would admit any name, so it is as good as no connection.
  if (literal_address_) {
    if (X509_VERIFY_PARAM_set1_ip_asc(check, host_.c_str()) != 1) return nullptr;
  } else {
    if (X509_VERIFY_PARAM_set1_host(check, host_.c_str(), host_.size()) != 1) return nullptr;
    if (SSL_set_tlsext_host_name(ssl, host_.c_str()) != 1) return nullptr;
  }
  if (!sessions_.empty()) {
    SSL_set_session(ssl, sessions_.back().get());
    // A ticket of TLS 1.3 should be used once only, RFC 8446 appendix C.4.
    if (SSL_SESSION_get_protocol_version(sessions_.back().get()) >= TLS1_3_VERSION) sessions_.pop_back();
  }
  return stream;
}

TlsStream::TlsStream(std::shared_ptr<TlsContext> context, int socket, TlsContext::Input input)
    : context_(std::move(context)),
      wire_{.socket = socket, .input = std::move(input)},
      ssl_(SSL_new(context_->context_.get())) {}

TlsStream::~TlsStream() {
  // Without this OpenSSL takes the session for damaged and would not resume it.
  if (ssl_ && !broken_) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

TlsStream::Progress TlsStream::judge(int result, std::size_t size) {
  if (result > 0) return {.kind = Progress::Kind::done, .size = size};
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return {.kind = Progress::Kind::want_read};
    case SSL_ERROR_WANT_WRITE:
      return {.kind = Progress::Kind::want_write};
    case SSL_ERROR_ZERO_RETURN:
      return {.kind = Progress::Kind::closed};
    default:
      break;
  }
  if (!broken_) error_ = ERR_peek_last_error();
  broken_ = true;
  return {.kind = Progress::Kind::failed};
}

TlsStream::Progress TlsStream::handshake() {
  ERR_clear_error();
  return judge(SSL_do_handshake(ssl_.get()), 0);
}

TlsStream::Progress TlsStream::read(std::span<char> into) {
  ERR_clear_error();
  std::size_t size = 0;
  const int result = SSL_read_ex(ssl_.get(), into.data(), into.size(), &size);
  return judge(result, size);
}

bool TlsStream::holds_input() const { return SSL_has_pending(ssl_.get()) == 1; }

TlsStream::Progress TlsStream::write(std::span<const char> bytes) {
  ERR_clear_error();
  std::size_t size = 0;
  const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &size);
  return judge(result, size);
}

void TlsStream::send_close() {
  ERR_clear_error();
  if (!broken_ && SSL_is_init_finished(ssl_.get()) == 1) SSL_shutdown(ssl_.get());
}

std::string TlsStream::failure() const {
  const long verified = SSL_get_verify_result(ssl_.get());
  if (verified != X509_V_OK) {
    return std::string{"its certificate is not accepted: "} + X509_verify_cert_error_string(verified);
  }
  if (error_ == 0) return "it closed the connection during the TLS handshake";
  return "the TLS handshake failed: " + reason_of(error_);
}

bool TlsStream::resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

}  // namespace grantd::daemon
