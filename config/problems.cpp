// Readers walk the tables in an order of their own; people read a file from top to bottom.
#include "config/problems.hpp"

#include <functional>
#include <tuple>
#include <utility>

#include "config/source_file.hpp"

namespace grantd::config {

std::string ConfigError::text() const {
  std::string all;
  if (!file.empty()) {
    all.append(file.string());
    if (line > 0) all.append(":").append(std::to_string(line)).append(":").append(std::to_string(column));
    all.append(": ");
  }
  if (!key.empty()) all.append(key).append(": ");
  return all.append(message);
}

void Problems::add(const Position& position, std::string key, std::string message) {
  ConfigError error{.file = position.source == nullptr ? std::filesystem::path{} : position.source->path,
                    .line = position.line,
                    .column = position.column,
                    .key = std::move(key),
                    .message = std::move(message)};
  errors_.emplace(position, std::move(error));
}

void Problems::add(ConfigError error) { errors_.emplace(Position{}, std::move(error)); }

std::vector<ConfigError> Problems::take() {
  std::vector<ConfigError> sorted;
  sorted.reserve(errors_.size());
  for (auto& [_, error] : errors_) sorted.push_back(std::move(error));
  errors_.clear();
  return sorted;
}

bool Problems::Earlier::operator()(const Position& a, const Position& b) const {
  if (a.source != b.source) return std::less<>{}(a.source, b.source);
  return std::tie(a.line, a.column) < std::tie(b.line, b.column);
}

}  // namespace grantd::config
