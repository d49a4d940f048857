// [daemon]: the local side, sockets and limits.
#include "config/definition_parts.hpp"
#include "config/keys.hpp"
#include "config/schema.hpp"
#include "config/url.hpp"
#include "config/values.hpp"

namespace grantd::config {

namespace {

constexpr std::int64_t most_connections = 1'000'000;

constexpr Choice<common::LogLevel> log_levels[] = {{"error", common::LogLevel::error},
                                                   {"warning", common::LogLevel::warning},
                                                   {"info", common::LogLevel::info},
                                                   {"debug", common::LogLevel::debug}};

}  // namespace

DaemonSettings read_daemon(const Node& table, Problems& problems) {
  DaemonSettings daemon;
  if (!expect_table(table, "daemon", problems)) return daemon;
  const TableReader reader{table, "daemon", daemon_keys, problems};
  reader.into(daemon.socket, "socket", text(parse_socket_path));
  reader.into(daemon.socket_mode, "socket_mode", text(parse_mode));
  reader.into(daemon.socket_group, "socket_group", account);
  reader.into(daemon.log_level, "log_level", one_of(log_levels));
  reader.into(daemon.max_connections, "max_connections", integer(1, most_connections));
  reader.into(daemon.max_connections_per_user, "max_connections_per_user", integer(1, most_connections));
  reader.into(daemon.idle_timeout, "idle_timeout", text(parse_duration));
  reader.into(daemon.metrics_listen, "metrics_listen", text(parse_listen_address));
  if (auto users = reader.list("admin_users", account)) daemon.admin_users = *std::move(users);
  reader.reject_unknown();
  return daemon;
}

}  // namespace grantd::config
