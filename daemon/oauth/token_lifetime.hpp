#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "common/clock.hpp"
#include "daemon/oauth/json_members.hpp"

namespace grantd::daemon {

/// No token is trusted for longer.
inline constexpr std::chrono::seconds longest_lifetime = std::chrono::days{365};

/// Whole seconds of `expires_in`, a number or a numeric string; at most a year, zero or negative as it is.
/// Nothing where it says nothing usable. Pure.
std::optional<std::chrono::seconds> lifetime_of(const JsonValue& expires_in);

/// What is left at `now` by the `exp` of a token that is a JWT (RFC 7519 section 4.1.4), at most a year.
/// Nothing where the token is no JWT or says nothing usable. The signature is not checked: it is the resource
/// server's business, and the worst a wrong `exp` can do is an early or a late renewal. Pure.
std::optional<std::chrono::seconds> lifetime_of_jwt(std::string_view token, common::WallTime now);

}  // namespace grantd::daemon
