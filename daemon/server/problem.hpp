#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "daemon/server/handler.hpp"

namespace grantd::daemon {

/// The members of a problem document, for those who add some of their own.
nlohmann::ordered_json problem_document(const common::Error& error, std::string_view client = {},
                                        std::string_view api = {});

/// The response for such a document.
LocalResponse problem_response(const nlohmann::ordered_json& document, const common::Error& error);

/// 200 with a JSON document.
LocalResponse json_response(const nlohmann::ordered_json& document);

/// 405 with `Allow`.
LocalResponse method_not_allowed(std::string_view allowed);

}  // namespace grantd::daemon
