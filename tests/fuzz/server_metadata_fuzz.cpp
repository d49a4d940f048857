// Whatever an issuer's metadata says, secrets go to no other host than the configured ones and never over
// plain http.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "daemon/oauth/server_metadata.hpp"

using namespace grantd;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const config::Url& endpoint) {
  require(endpoint.tls && (endpoint.host == "as.example" || endpoint.host == "token.example"));
  require(!endpoint.path.empty() && endpoint.path.front() == '/');
  require(endpoint.text.find_first_of("@# \r\n") == std::string::npos ||
          endpoint.path.find('@') != std::string::npos || endpoint.query.find('@') != std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const daemon::MetadataRules rules{.issuer = config::Url::parse("https://as.example").value(),
                                           .allow_endpoint_hosts = {"token.example"}};
  const auto metadata = daemon::read_server_metadata({reinterpret_cast<const char*>(data), size}, rules);
  if (!metadata) {
    require(!metadata.error().empty());
    return 0;
  }
  check(metadata->token_endpoint);
  check(metadata->mtls_token_endpoint);
  return 0;
}
