// The one answer of the local API whose length is not known when it begins.
#include "daemon/server/doctor_handler.hpp"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "daemon/server/problem.hpp"

namespace grantd::daemon {

using common::Error;
using common::ErrorCode;

namespace {

/// A body of lines, in chunks where the caller understands them and else until the connection's end.
class LineWriter {
 public:
  explicit LineWriter(Exchange& exchange)
      : exchange_(exchange), chunked_(exchange.request().minor_version >= 1) {}

  awaitable<bool> begin() {
    std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nCache-Control: no-store\r\n";
    head.append(chunked_ ? "Transfer-Encoding: chunked\r\n" : "Connection: close\r\n");
    if (chunked_ && !exchange_.request().keep_alive) head.append("Connection: close\r\n");
    head.append("\r\n");
    co_return co_await send(std::move(head));
  }
  awaitable<bool> line(std::string text) {
    text += '\n';
    if (chunked_) {
      std::array<char, 16> size;
      const auto end = std::to_chars(size.data(), size.data() + size.size(), text.size(), 16).ptr;
      text.insert(0, std::string{size.data(), end} + "\r\n").append("\r\n");
    }
    co_return co_await send(std::move(text));
  }
  awaitable<void> end() {
    const bool sent = !chunked_ || co_await send("0\r\n\r\n");
    if (sent) exchange_.finish_response(chunked_ && exchange_.body_complete());
  }

 private:
  awaitable<bool> send(std::string text) {
    const asio::const_buffer piece{text.data(), text.size()};
    co_return co_await exchange_.write({&piece, 1});
  }

  Exchange& exchange_;
  const bool chunked_;
};

std::string json_line(const DoctorStep& step) {
  const nlohmann::ordered_json line{
      {"step", step.step}, {"ok", step.ok}, {"detail", step.detail}, {"advice", step.advice}};
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

awaitable<void> DoctorHandler::handle(Exchange& exchange, std::string name) {
  const CatalogClient* const client = catalog_.now->client(name);
  const bool admitted = catalog_.now->admins.admits(exchange.peer(), timers_.now());
  if (!admitted || client == nullptr) {
    Error error{.code = ErrorCode::unknown_client, .detail = "no client definition has this name"};
    if (!admitted) {
      audit_.refused(exchange.peer(), {"client", name});
      error = {.code = ErrorCode::access_denied,
               .detail = "only the users in admin_users may use the doctor"};
    }
    co_await exchange.respond(problem_response(error, name));
    co_return;
  }
  const auto settings = client->settings;
  LineWriter writer{exchange};
  bool listening = co_await writer.begin();
  if (!listening) co_return;
  Doctor::Tell tell = [&writer, &listening](DoctorStep step) -> awaitable<bool> {
    std::string text = json_line(step);
    listening = co_await writer.line(std::move(text));
    co_return listening;
  };
  co_await doctor_.examine(settings, std::move(tell));
  if (listening) co_await writer.end();
}

}  // namespace grantd::daemon
