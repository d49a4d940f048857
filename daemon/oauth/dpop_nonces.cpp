#include "daemon/oauth/dpop_nonces.hpp"

#include "common/syntax.hpp"

namespace grantd::daemon {

namespace {

std::string origin_of(const config::Url& url) { return (url.tls ? "https://" : "http://") + url.authority(); }

}  // namespace

std::string_view DpopNonces::of(const config::Url& url) const {
  const auto found = nonces_.find(origin_of(url));
  return found == nonces_.end() ? std::string_view{} : found->second;
}

bool DpopNonces::remember(const config::Url& url, std::string_view nonce) {
  if (!syntax::is_dpop_nonce(nonce)) return false;
  nonces_.insert_or_assign(origin_of(url), std::string{nonce});
  return true;
}

}  // namespace grantd::daemon
