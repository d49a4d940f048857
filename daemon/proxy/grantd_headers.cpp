// Headers can be repeated by any layer of a caller's HTTP library, so a repeated one is an error rather than
// a guess about which of them counts.
#include "daemon/proxy/grantd_headers.hpp"

#include <utility>

#include "common/ascii.hpp"
#include "common/local_api.hpp"

namespace grantd::daemon {
namespace {

using ascii::equal_ignoring_case;
using common::ErrorCode;

enum Known : std::size_t {
  scope,
  resource,
  audience,
  parameters,
  assertion,
  min_valid,
  rejected,
  force_renewal,
  count
};
constexpr std::string_view names[count] = {
    local_api::scope_header,      local_api::resource_header,      local_api::audience_header,
    local_api::parameters_header, local_api::assertion_header,     local_api::min_valid_header,
    local_api::rejected_header,   local_api::force_renewal_header,
};

common::Result<void> set_parameters(CallerRequest& wanted, std::string_view value) {
  auto pairs = parse_form(value);
  if (!pairs) return std::unexpected(std::move(pairs.error()));
  for (auto& [name, parameter] : *pairs) {
    if (!wanted.parameters.emplace(std::move(name), std::move(parameter)).second) {
      return common::fail(ErrorCode::invalid_request, "Grantd-Parameters has a parameter twice");
    }
  }
  return {};
}

common::Result<void> set(CallerRequest& wanted, std::size_t which, std::string_view value) {
  switch (which) {
    case scope:
      wanted.scope = value;
      break;
    case resource:
      wanted.resource.emplace_back(value);
      break;
    case audience:
      wanted.audience = value;
      break;
    case parameters:
      return set_parameters(wanted, value);
    case assertion:
      wanted.assertion = common::Secret{value};
      break;
    case min_valid: {
      const auto seconds = parse_min_valid(value);
      if (!seconds) return std::unexpected(seconds.error());
      wanted.min_valid = *seconds;
      break;
    }
    case rejected:
      wanted.rejected = value;
      break;
    case force_renewal:
      wanted.force_renewal = equal_ignoring_case(value, "true");
      if (!wanted.force_renewal && !equal_ignoring_case(value, "false")) {
        return common::fail(ErrorCode::invalid_request, "Grantd-Force-Renewal is \"true\" or \"false\"");
      }
      break;
    default:
      break;
  }
  return {};
}

}  // namespace

common::Result<CallerRequest> read_grantd_headers(const http1::RequestHead& request) {
  CallerRequest wanted;
  bool seen[count] = {};
  for (const http1::Field& field : request.fields) {
    if (!ascii::starts_with_ignoring_case(field.name, local_api::header_prefix)) continue;
    for (std::size_t which = 0; which < count; ++which) {
      if (!equal_ignoring_case(field.name, names[which])) continue;
      if (std::exchange(seen[which], true) && which != resource) {
        return common::fail(ErrorCode::invalid_request, std::string{names[which]} + " may stand once only");
      }
      if (field.value.empty()) break;
      if (auto result = set(wanted, which, field.value); !result)
        return std::unexpected(std::move(result.error()));
      break;
    }
  }
  return wanted;
}

}  // namespace grantd::daemon
