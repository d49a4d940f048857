// A caller may have been built with an earlier header, whose structures were shorter, or with a later one,
// whose structures are longer: what is missing is zero, and what is too much must be.
#include "client-lib/src/c_request.hpp"

#include <string.h>

#include <algorithm>

#include "client-lib/src/c_error.hpp"

namespace grantd::detail {
namespace {

template <class Struct>
Struct known_part(const Struct* given, std::size_t least) {
  Struct known{};
  if (given == nullptr) return known;
  if (given->size < least) throw Error("invalid_request", "a structure's size is not set");
  const auto* const bytes = reinterpret_cast<const unsigned char*>(given);
  const auto is_zero = [](unsigned char byte) { return byte == 0; };
  if (given->size > sizeof known && !std::all_of(bytes + sizeof known, bytes + given->size, is_zero))
    throw Error("invalid_request", "this version of libgrantd does not know everything that is asked for");
  ::memcpy(&known, given, std::min(given->size, sizeof known));
  return known;
}

void require_list(const void* list, std::size_t count, const char* what) {
  if (count > 0) require(list, what);
}

}  // namespace

ClientOptions to_options(const grantd_client_options* given) {
  const auto options = known_part(given, sizeof(grantd_client_options));
  ClientOptions made{.socket = std::string{text_or_empty(options.socket)}};
  if (options.timeout_ms != 0) made.timeout = std::chrono::milliseconds{options.timeout_ms};
  return made;
}

TokenRequest to_token_request(const grantd_token_request* given) {
  const auto request = known_part(given, sizeof(grantd_token_request));
  TokenRequest made{.force_renewal = request.force_renewal != 0,
                    .scope = std::string{text_or_empty(request.scope)},
                    .audience = std::string{text_or_empty(request.audience)},
                    .assertion = std::string{text_or_empty(request.assertion)},
                    .rejected = std::string{text_or_empty(request.rejected)}};
  require_list(static_cast<const void*>(request.resource), request.resource_count, "the list of resources");
  for (std::size_t i = 0; i < request.resource_count; ++i)
    made.resource.emplace_back(text_or_empty(request.resource[i]));
  require_list(request.parameters, request.parameter_count, "the list of parameters");
  for (std::size_t i = 0; i < request.parameter_count; ++i) {
    const grantd_pair& parameter = request.parameters[i];
    made.parameters.insert_or_assign(std::string{text_or_empty(parameter.name)},
                                     std::string{text_or_empty(parameter.value)});
  }
  if (request.has_min_valid != 0) made.min_valid = std::chrono::seconds{request.min_valid};
  return made;
}

Request to_request(const grantd_request* given) {
  const auto request = known_part(given, sizeof(grantd_request));
  Request made{.path = std::string{text_or_empty(request.path)},
               .content_type = std::string{text_or_empty(request.content_type)},
               .token = to_token_request(request.token)};
  if (request.method != nullptr) made.method = request.method;
  require_list(request.headers, request.header_count, "the list of headers");
  for (std::size_t i = 0; i < request.header_count; ++i)
    made.headers.emplace(text_or_empty(request.headers[i].name), text_or_empty(request.headers[i].value));
  require_list(request.body, request.body_size, "the body");
  if (request.body_size > 0) made.body.assign(static_cast<const char*>(request.body), request.body_size);
  return made;
}

}  // namespace grantd::detail
