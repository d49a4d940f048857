#pragma once

#include <map>
#include <memory>
#include <string>

#include "daemon/app/endpoint_fetcher.hpp"
#include "daemon/catalog/catalog.hpp"
#include "daemon/kept/kept_tokens.hpp"
#include "daemon/publish/token_pages.hpp"
#include "daemon/shared/shared_caching.hpp"

namespace grantd::daemon {

/// Makes the definitions in force out of validated settings. Keeps the cache of every client whose identity
/// did not change since the last build: what identifies a token, not timing or access rules. Loop thread
/// only.
class CatalogBuilder {
 public:
  /// Where all definitions' tokens go besides their callers, and may come from.
  struct Outlets {
    KeptTokens& kept;
    TokenPages& pages;
    SharedCaching& shared;
  };

  /// All parts outlive the builder and its catalogs.
  CatalogBuilder(EndpointParts endpoint, Metrics& metrics, AccountLookup accounts, Outlets outlets);

  /// Cannot fail: a credential that cannot be read is found out, and told, at its first use.
  std::shared_ptr<Catalog> build(const config::Settings& settings);

 private:
  struct Entry {
    DefinitionFingerprint fingerprint;
    std::shared_ptr<TokenCache> tokens{};
    std::shared_ptr<const config::ClientSettings> settings;
    EndpointCredentials credentials{};
    std::shared_ptr<Kept> dpop_key{};  // the one made here
  };
  /// The settings object of an unchanged API stays the same one: connections to it hang on that.
  void keep_unchanged(std::shared_ptr<const config::ApiSettings>& api) const;
  Entry entry_for(const std::shared_ptr<const config::ClientSettings>& settings,
                  std::vector<Variant> configured);
  void make_credentials(Entry& entry) const;

  EndpointParts endpoint_;
  Metrics& metrics_;
  AccountLookup accounts_;
  Outlets outlets_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::shared_ptr<const config::ApiSettings>, std::less<>> apis_;
};

}  // namespace grantd::daemon
