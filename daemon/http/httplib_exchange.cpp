// cpp-httplib writes the request and reads the response's body; the connection under it is ours, so that name
// lookup, connecting, TLS and every byte obey one deadline, and no server can make it read without end. It is
// the only file that knows the library.
#include "daemon/http/httplib_exchange.hpp"

#include <fcntl.h>
#include <httplib.h>

#include "daemon/http/connector.hpp"
#include "daemon/http/response_reader.hpp"
#include "daemon/http/tunnel.hpp"

namespace grantd::daemon {

namespace {

using Kind = TransportError::Kind;

constexpr std::size_t longest_body = 1024 * 1024;

class WireStream final : public httplib::Stream {
 public:
  WireStream(TimedSocket& socket, ResponseReader& reader) : socket_(socket), reader_(reader) {}

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* into, std::size_t size) override { return reader_.read({into, size}); }
  ssize_t write(const char* bytes, std::size_t size) override {
    return socket_.write({bytes, size}) ? static_cast<ssize_t>(size) : -1;
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return socket_.descriptor(); }

 private:
  TimedSocket& socket_;
  ResponseReader& reader_;
};

// The library's plain client on a connection that is already there, with TLS or without.
class ConnectedClient final : public httplib::ClientImpl {
 public:
  ConnectedClient(const config::Url& url, TimedSocket& socket, ResponseReader& reader)
      : ClientImpl(url.host, url.port), socket_(socket), reader_(reader) {
    set_keep_alive(false);
    set_follow_location(false);
    set_decompress(false);
    set_url_encode(false);
  }

 private:
  // The library closes what it was given, so it is given a descriptor of its own.
  bool create_and_connect_socket(Socket& socket, httplib::Error& error) override {
    socket.sock = ::fcntl(socket_.descriptor(), F_DUPFD_CLOEXEC, 0);
    if (socket.sock < 0) error = httplib::Error::Connection;
    return socket.sock >= 0;
  }
  bool process_socket(const Socket&, std::function<bool(httplib::Stream&)> callback) override {
    WireStream stream{socket_, reader_};
    return callback(stream);
  }

  TimedSocket& socket_;
  ResponseReader& reader_;
};

httplib::Request to_httplib(const HttpRequest& request, bool absolute_form) {
  httplib::Request made;
  made.method = request.method;
  if (absolute_form) made.path = "http://" + request.url.authority();
  made.path += request.url.path;
  if (!request.url.query.empty()) made.path.append("?").append(request.url.query);
  made.headers.emplace("Host", request.url.authority());
  made.headers.emplace("User-Agent", "grantd/" GRANTD_VERSION);
  made.headers.emplace("Accept-Encoding", "identity");
  made.headers.emplace("Connection", "close");
  for (const auto& [name, value] : request.headers) {
    made.headers.erase(name);
    made.headers.emplace(name, value);
  }
  if (!request.content_type.empty()) made.headers.emplace("Content-Type", request.content_type);
  if (!request.authorization.empty())
    made.headers.emplace("Authorization", std::string{request.authorization.reveal()});
  made.body = std::string{request.body.reveal()};
  return made;
}

std::unexpected<TransportError> failed(Kind kind, std::string detail) {
  return std::unexpected(TransportError{.kind = kind, .detail = std::move(detail)});
}

}  // namespace

std::expected<HttpResponse, TransportError> exchange_with_httplib(const HttpRequest& request,
                                                                  const TransportOptions& options,
                                                                  const common::Clock& clock,
                                                                  common::BootTime deadline,
                                                                  TlsContext* tls) {
  const config::Url& url = request.url;
  const std::string where = url.host + " port " + std::to_string(url.port);
  const config::Url& next = options.proxy.value_or(url);
  auto connected = connect_to(next.host, next.port, clock, options.connect_timeout, deadline);
  if (!connected) {
    return failed(clock.now() >= deadline ? Kind::timed_out : Kind::unreachable,
                  std::move(connected.error()));
  }
  TimedSocket socket{std::move(*connected), clock, deadline};
  if (options.proxy && url.tls) {
    if (auto open = open_tunnel(socket, url); !open) {
      return failed(socket.timed_out() ? Kind::timed_out : Kind::unreachable, where + ": " + open.error());
    }
  }
  if (url.tls) {
    if (auto secured = socket.secure(*tls); !secured) {
      return failed(socket.timed_out() ? Kind::timed_out : Kind::unreachable, where + ": " + secured.error());
    }
  }

  ResponseReader reader{socket, request.method};
  ConnectedClient client{url, socket, reader};
  HttpResponse response;
  bool too_long = false;
  httplib::Request outgoing = to_httplib(request, options.proxy && !url.tls);
  outgoing.content_receiver = [&](const char* bytes, std::size_t size, std::uint64_t, std::uint64_t) {
    too_long = response.body.size() + size > longest_body;
    if (!too_long) response.body.append({bytes, size});
    return !too_long;
  };
  const httplib::Result result = client.send(outgoing);
  if (too_long) return failed(Kind::bad_response, where + ": its response is over 1 MiB");
  if (!reader.complaint().empty()) return failed(Kind::bad_response, where + ": " + reader.complaint());
  if (socket.timed_out()) return failed(Kind::timed_out, where + " did not answer in time");
  if (!result)
    return failed(Kind::unreachable, where + " closed the connection before its response was complete");
  response.status = reader.status();
  response.headers = reader.take_headers();
  return response;
}

}  // namespace grantd::daemon
