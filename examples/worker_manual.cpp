// The manual way: ask for a token, send the request with an HTTP client of one's own. `with_token` sends it
// once more with a new token when the API answers 401.
#include <httplib.h>

#include <cstdio>
#include <cstdlib>
#include <grantd/client.hpp>

int main() {
  const char* catalog_url = std::getenv("CATALOG_URL");
  if (catalog_url == nullptr) {
    std::fprintf(stderr, "set CATALOG_URL to the address of the catalog API\n");
    return 64;
  }
  try {
    grantd::Client client;
    httplib::Client http{catalog_url};
    std::string body;
    const int status = client.with_token("catalog.client", [&](const grantd::Token& token) {
      const httplib::Headers headers{{"Authorization", std::string{token.authorization()}}};
      const auto response = http.Get("/catalog/products", headers);
      if (!response) return 0;
      body = response->body;
      return response->status;
    });
    std::printf("manual worker: %d %s\n", status, body.c_str());
    return status == 200 ? 0 : 1;
  } catch (const grantd::Error& error) {
    std::fprintf(stderr, "manual worker: %s\n", error.what());
    return 1;
  }
}
