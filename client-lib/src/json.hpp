#pragma once

#include <functional>
#include <string_view>

#include "common/secret.hpp"

namespace grantd::detail {

enum class JsonKind { null, boolean, number, string, array, object };

/// One member of the outermost object. The views are valid during the call that hands it over only; what they
/// pointed to is wiped afterwards, for it may be a token.
struct JsonMember {
  std::string_view name;
  JsonKind kind;
  std::string_view text;  // of a string, decoded; of anything else, as it stands
};

/// Reads a JSON text that is an object and hands over its members in order. Strict (RFC 8259): false for
/// anything else, ill-formed UTF-8, unpaired surrogates and nesting over 32 levels included. Members that
/// came before a mistake have been handed over by then.
bool read_json_object(std::string_view text, const std::function<void(const JsonMember&)>& take);

/// Appends `text` as a JSON string, quotes included.
void append_json_string(common::Secret& out, std::string_view text);

}  // namespace grantd::detail
