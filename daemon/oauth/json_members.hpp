#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <string_view>

#include "common/secret.hpp"

namespace grantd::daemon {

/// The value of one member, as far as token responses need it.
struct JsonValue {
  enum class Kind {
    absent,
    null,
    string,   // in `text`
    strings,  // an array of strings, in `text` with a space between them
    number,   // in `number`, of whatever size
    other,
  };
  Kind kind = Kind::absent;
  common::Secret text{};
  double number = 0;
};

/// Some top-level members of a JSON object, by name.
class JsonMembers {
 public:
  /// Nothing where `json` is not one well-formed object in UTF-8 nested less than 64 deep. Of a name that
  /// stands there twice the last counts. `names` are literals.
  static std::optional<JsonMembers> parse(std::string_view json,
                                          std::initializer_list<std::string_view> names);

  /// One of the names given to `parse`.
  const JsonValue& operator[](std::string_view name) const { return values_.at(name); }
  /// The string of a member; empty where it is none.
  std::string_view string(std::string_view name) const;

 private:
  class Reader;
  std::map<std::string_view, JsonValue> values_;
};

}  // namespace grantd::daemon
