// What travels on is decided by name alone, and everything about framing is written anew: two parties that
// disagree about where a message ends are what request smuggling lives on.
#include "daemon/proxy/header_filter.hpp"

#include <algorithm>

#include "common/ascii.hpp"
#include "common/local_api.hpp"

namespace grantd::daemon {
namespace {

using ascii::equal_ignoring_case;

constexpr std::string_view hop_by_hop[] = {
    "Connection", "Keep-Alive", "Proxy-Connection",   "Transfer-Encoding",   "TE",
    "Trailer",    "Upgrade",    "Proxy-Authenticate", "Proxy-Authorization",
};
constexpr std::string_view replaced_in_requests[] = {"Host", "Expect", "Content-Length", "Authorization",
                                                     "DPoP"};

template <class Names>
bool is_one_of(std::string_view name, const Names& names) {
  return std::ranges::any_of(names,
                             [name](std::string_view other) { return equal_ignoring_case(name, other); });
}

bool is_ours(std::string_view name) {
  return ascii::starts_with_ignoring_case(name, local_api::header_prefix);
}

/// The fields that `Connection` names; almost always none, and then without a look at every field. Sorted: a
/// head has room for thousands of options and fields.
class ConnectionOptions {
 public:
  explicit ConnectionOptions(const http1::Head& head) {
    for (const http1::Field& field : head.fields) {
      if (equal_ignoring_case(field.name, "Connection")) add(field.value);
    }
    std::ranges::sort(names_, ascii::less_ignoring_case);
  }
  bool names(std::string_view field) const {
    return !names_.empty() && std::ranges::binary_search(names_, field, ascii::less_ignoring_case);
  }

 private:
  void add(std::string_view list) {
    while (!list.empty()) {
      const auto comma = std::min(list.find(','), list.size());
      std::string_view option = list.substr(0, comma);
      list.remove_prefix(std::min(comma + 1, list.size()));
      const auto first = option.find_first_not_of(" \t");
      if (first == std::string_view::npos) continue;
      option = option.substr(first, option.find_last_not_of(" \t") - first + 1);
      if (!equal_ignoring_case(option, "close") && !equal_ignoring_case(option, "keep-alive"))
        names_.push_back(option);
    }
  }
  std::vector<std::string_view> names_;
};

void append_line(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

bool is_hop_by_hop(std::string_view name) { return is_one_of(name, hop_by_hop); }

void append_request_fields(std::string& out, const http1::RequestHead& request, const FixedHeaders& fixed) {
  const ConnectionOptions connection{request};
  for (const http1::Field& field : request.fields) {
    if (is_hop_by_hop(field.name) || is_one_of(field.name, replaced_in_requests) || is_ours(field.name))
      continue;
    if (connection.names(field.name)) continue;
    if (std::ranges::any_of(fixed,
                            [&](const auto& own) { return equal_ignoring_case(own.first, field.name); }))
      continue;
    append_line(out, field.name, field.value);
  }
  for (const auto& [name, value] : fixed) append_line(out, name, value);
}

void append_request_framing(std::string& out, const http1::RequestHead& request) {
  if (request.expects_continue) append_line(out, "Expect", "100-continue");
  switch (request.body.kind) {
    case http1::BodyLength::Kind::chunked:
      append_line(out, "Transfer-Encoding", "chunked");
      return;
    case http1::BodyLength::Kind::fixed:
      append_line(out, "Content-Length", std::to_string(request.body.size));
      return;
    case http1::BodyLength::Kind::none:
    case http1::BodyLength::Kind::until_close:
      break;
  }
  // A method that usually has a body says that it has none this time (RFC 9110 section 8.6).
  if (request.find("Content-Length")) append_line(out, "Content-Length", "0");
}

ResponseFraming response_framing(const http1::RequestHead& request, const http1::ResponseHead& response) {
  using Kind = ResponseFraming::Kind;
  const bool chunks_understood = request.minor_version >= 1;
  switch (response.body.kind) {
    case http1::BodyLength::Kind::none: {
      // An empty body is told from a forbidden one by the head; either way no byte follows.
      return {.kind = Kind::none, .keep_alive = request.keep_alive};
    }
    case http1::BodyLength::Kind::fixed:
      return {.kind = Kind::fixed, .keep_alive = request.keep_alive};
    case http1::BodyLength::Kind::chunked:
    case http1::BodyLength::Kind::until_close:
      break;
  }
  if (chunks_understood) return {.kind = Kind::chunked, .keep_alive = request.keep_alive};
  return {.kind = Kind::until_close, .keep_alive = false};
}

void append_response_head(std::string& out, const http1::RequestHead& request,
                          const http1::ResponseHead& response, ResponseFraming framing,
                          std::string_view own_fields) {
  out.append("HTTP/1.1 ")
      .append(std::to_string(response.status))
      .append(" ")
      .append(response.reason)
      .append("\r\n");
  const ConnectionOptions connection{response};
  for (const http1::Field& field : response.fields) {
    if (is_hop_by_hop(field.name) || is_ours(field.name) || connection.names(field.name)) continue;
    if (equal_ignoring_case(field.name, "Content-Length")) continue;
    append_line(out, field.name, field.value);
  }
  switch (framing.kind) {
    case ResponseFraming::Kind::none: {
      // HEAD and 304 describe a body that is not sent; 204 has none to describe (RFC 9110 section 8.6).
      const auto length = response.find("Content-Length");
      if (length && response.status != 204) append_line(out, "Content-Length", *length);
      break;
    }
    case ResponseFraming::Kind::fixed:
      append_line(out, "Content-Length", std::to_string(response.body.size));
      break;
    case ResponseFraming::Kind::chunked:
      append_line(out, "Transfer-Encoding", "chunked");
      break;
    case ResponseFraming::Kind::until_close:
      break;
  }
  if (!framing.keep_alive) {
    append_line(out, "Connection", "close");
  } else if (request.minor_version == 0) {
    append_line(out, "Connection", "keep-alive");
  }
  out.append(own_fields).append("\r\n");
}

}  // namespace grantd::daemon
