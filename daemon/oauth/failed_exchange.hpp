#pragma once

#include <string>
#include <string_view>

#include "daemon/oauth/json_members.hpp"
#include "daemon/oauth/token_response.hpp"

namespace grantd::daemon {

/// Something that is no token and will not be one the next time either.
FailedExchange invalid_response(std::string detail);

/// A trouble that may pass, with the server's wish of when to come back.
FailedExchange passing_failure(common::ErrorCode code, std::string_view result, std::string detail,
                               const HttpResponse& response, const JudgementContext& context);

/// A response of status 4xx: an OAuth error, or whatever else refuses.
FailedExchange judge_rejection(const HttpResponse& response, const JudgementContext& context);

/// Puts `error` and `error_description` into `error`, reduced to what may travel on.
void describe_oauth_error(common::Error& error, const JsonMembers& members, const JudgementContext& context);

}  // namespace grantd::daemon
