// Apart from the command so that it can be tested without a daemon.
#include "cli/status_table.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/output.hpp"

namespace grantd::cli {
namespace {

using nlohmann::json;

constexpr std::size_t columns = 8;
using Row = std::array<std::string, columns>;

std::string text(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_unsigned()) return std::to_string(value.get<std::uint64_t>());
  return {};
}

std::string member(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? std::string{} : text(*found);
}

std::string duration(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() ? spoken_duration(found->get<std::int64_t>())
                                                             : std::string{};
}

// What an operator looks for first: the authorization server's own code where there is one.
std::string last_error(const json& client) {
  const auto found = client.find("last_error");
  if (found == client.end() || !found->is_object())
    return found == client.end() ? std::string{} : text(*found);
  const std::string oauth_error = member(*found, "oauth_error");
  std::string shown = member(*found, "code");
  if (!oauth_error.empty()) shown += ": " + oauth_error;
  if (const auto detail = member(*found, "detail"); oauth_error.empty() && !detail.empty())
    shown += ": " + detail;
  return shown;
}

Row row_of(const json& client) {
  Row row{member(client, "name"),        member(client, "state"),
          member(client, "scope"),       duration(client, "expires_in"),
          duration(client, "renews_in"), member(client, "served"),
          member(client, "fetched"),     last_error(client)};
  for (std::string& cell : row) cell = cell.empty() ? "-" : printable(cell);
  return row;
}

// Nothing where no shared cache is configured.
std::string shared_cache_line(const json& document) {
  const auto found = document.find("shared_cache");
  if (found == document.end() || !found->is_object()) return {};
  std::string line = "shared cache: " + printable(member(*found, "state"));
  if (const auto error = member(*found, "last_error"); !error.empty()) line += ": " + printable(error);
  return "\n" + line + "\n";
}

// Columns on a terminal, taking every character to be one wide.
std::size_t width(std::string_view cell) {
  return static_cast<std::size_t>(
      std::ranges::count_if(cell, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

std::string spoken_duration(std::int64_t seconds) {
  const auto two = [](std::int64_t big, const char* big_unit, std::int64_t small, const char* small_unit) {
    std::string spoken = std::to_string(big) + big_unit;
    if (small != 0) spoken += " " + std::to_string(small) + small_unit;
    return spoken;
  };
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return two(seconds / 60, "m", seconds % 60, "s");
  if (seconds < 86400) return two(seconds / 3600, "h", seconds % 3600 / 60, "m");
  return two(seconds / 86400, "d", seconds % 86400 / 3600, "h");
}

std::string status_table(std::string_view document_text) {
  const json document = json::parse(document_text, nullptr, false);
  if (!document.is_object() || !document.contains("clients") || !document["clients"].is_array()) {
    throw Error("daemon_unreachable",
                "what listens there does not answer with a list of clients as grantd does");
  }
  std::vector<Row> rows{
      {"CLIENT", "STATE", "SCOPE", "EXPIRES IN", "RENEWS IN", "SERVED", "FETCHED", "LAST ERROR"}};
  for (const json& client : document["clients"]) {
    if (client.is_object()) rows.push_back(row_of(client));
  }
  std::array<std::size_t, columns> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < columns; ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string table;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i + 1 < columns; ++i) {
      table += row[i];
      table.append(widths[i] - width(row[i]) + 2, ' ');
    }
    table += row[columns - 1];
    table += '\n';
  }
  return table + shared_cache_line(document);
}

}  // namespace grantd::cli
