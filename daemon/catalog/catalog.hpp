#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "config/settings.hpp"
#include "daemon/authz/access_policy.hpp"
#include "daemon/cache/token_cache.hpp"
#include "daemon/metrics/metrics.hpp"
#include "daemon/oauth/token.hpp"

namespace grantd::daemon {

/// One `[clients.NAME]` as the daemon serves it.
struct CatalogClient : std::enable_shared_from_this<CatalogClient> {
  CatalogClient(const std::shared_ptr<const config::ClientSettings>& definition,
                std::shared_ptr<TokenCache> cache, AccessPolicy policy, Variant own)
      : tokens(std::move(cache)),
        exposes_token(definition->expose_token),
        access(std::move(policy)),
        settings(definition),
        variant(std::move(own)) {}

  // What every request looks at stands together: with thousands of definitions each place is a cache miss.
  std::shared_ptr<TokenCache> tokens;
  bool exposes_token;
  AccessPolicy access;
  std::shared_ptr<const config::ClientSettings> settings;
  Variant variant;  // what the definition itself asks for
};

/// One `[apis.NAME]` as the daemon serves it.
struct CatalogApi {
  std::shared_ptr<const config::ApiSettings> settings;
  std::shared_ptr<CatalogClient> client;
  AccessPolicy access;  // besides the client's
  Variant variant;
  ApiMetrics* metrics;  // never null; lives as long as the daemon

  /// Whether both the API's and the client's rules admit the caller.
  bool admits(const PeerIdentity& peer, common::BootTime now) {
    return access.admits(peer, now) && client->access.admits(peer, now);
  }
};

struct LessIgnoringCase {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};

struct HashOfName {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
};

/// All definitions of one configuration. A reload makes a new one; requests under way keep the one they began
/// with.
struct Catalog {
  boost::unordered_flat_map<std::string, std::shared_ptr<CatalogClient>, HashOfName, std::equal_to<>> clients;
  std::map<std::string, std::shared_ptr<CatalogApi>, LessIgnoringCase> apis;
  AccessPolicy admins;  // `admin_users` and the daemon's own user

  /// Null where there is none. The catalog's: whoever waits takes a share of it.
  CatalogClient* client(std::string_view name) const;
  std::shared_ptr<CatalogApi> api(std::string_view name) const;
};

/// The catalog in force; handlers keep a reference to this and take a copy of `now` for each request. Loop
/// thread only.
struct CurrentCatalog {
  std::shared_ptr<Catalog> now;
};

}  // namespace grantd::daemon
