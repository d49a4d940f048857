#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/clock.hpp"
#include "common/error.hpp"
#include "common/secret.hpp"
#include "config/settings.hpp"

namespace grantd::daemon {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// One request to an authorization server. Move-only: the body and the Authorization value hold secrets.
struct HttpRequest {
  std::string method = "POST";
  config::Url url;
  HttpHeaders headers{};
  common::Secret authorization{};  // value of `Authorization`, empty: none
  common::Secret body{};
  std::string content_type{};
};

/// The answer, whatever its status. The body may hold a token.
struct HttpResponse {
  int status = 0;
  HttpHeaders headers{};
  common::Secret body{};

  /// First value of the header, compared without case; empty where absent.
  std::string_view header(std::string_view name) const;
};

}  // namespace grantd::daemon
