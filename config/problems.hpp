#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/load.hpp"
#include "config/node.hpp"

namespace grantd::config {

/// Collects everything that is wrong, so that a run reports it together.
class Problems {
 public:
  /// `key` is a dotted path, empty where no key is to blame. `message` never quotes a configured value.
  void add(const Position& position, std::string key, std::string message);
  /// What is wrong with a file as a whole.
  void add(ConfigError error);
  bool empty() const { return errors_.empty(); }
  /// In the order of the files, then of lines.
  std::vector<ConfigError> take();

 private:
  /// Files are told apart and ordered by where they stand in their vector.
  struct Earlier {
    bool operator()(const Position& a, const Position& b) const;
  };
  std::multimap<Position, ConfigError, Earlier> errors_;
};

}  // namespace grantd::config
